{{/*
"PLURAL.GROUP/VERSION" as {"group": …, "resource": …}; the core group is "". Versions do not matter to RBAC.
*/}}
{{- define "rynxs.groupResource" -}}
{{- $name := splitList "/" . | first -}}
{{- $parts := splitn "." 2 $name -}}
{{- dict "group" (default "" $parts._1) "resource" $parts._0 | toJson -}}
{{- end -}}

{{/*
The rules for a list of watched entries: read them, and patch their status where conditions are written. Rendered as YAML,
sorted and each once, so that the same watch gives the same manifest. */}}
{{- define "rynxs.watchRules" -}}
{{- $read := dict -}}
{{- $status := dict -}}
{{- range . -}}
{{- $gr := include "rynxs.groupResource" .resource | fromJson -}}
{{- $_ := set $read $gr.group (append (default list (get $read $gr.group)) $gr.resource) -}}
{{- if ne (toString .status) "false" -}}
{{- $_ := set $status $gr.group (append (default list (get $status $gr.group)) (printf "%s/status" $gr.resource)) -}}
{{- end -}}
{{- end -}}
{{- range $group := keys $read | sortAlpha }}
- apiGroups: [{{ $group | quote }}]
  resources: {{ get $read $group | uniq | sortAlpha | toJson }}
  verbs: ["get", "list", "watch"]
{{- with get $status $group }}
- apiGroups: [{{ $group | quote }}]
  resources: {{ . | uniq | sortAlpha | toJson }}
  verbs: ["patch"]
{{- end }}
{{- end }}
{{- end -}}

{{/* The watched entries of the whole cluster, as {"items": […]}. */}}
{{- define "rynxs.clusterWatch" -}}
{{- $items := list -}}
{{- range .Values.watch -}}{{- if not .namespaces -}}{{- $items = append $items . -}}{{- end -}}{{- end -}}
{{- dict "items" $items | toJson -}}
{{- end -}}

{{/* Watched entries by namespace: {"a": [entries], …}. */}}
{{- define "rynxs.namespacedWatch" -}}
{{- $by := dict -}}
{{- range $entry := .Values.watch -}}
{{- range $entry.namespaces -}}
{{- $_ := set $by . (append (default list (get $by .)) $entry) -}}
{{- end -}}
{{- end -}}
{{- toJson $by -}}
{{- end -}}
