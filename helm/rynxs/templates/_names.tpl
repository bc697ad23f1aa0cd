{{- define "rynxs.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough that "-minio" and the like still fit in 63 characters. */}}
{{- define "rynxs.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What is not in a namespace carries it in its name: two releases of one name do not meet. */}}
{{- define "rynxs.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "rynxs.fullname" .) -}}
{{- end -}}

{{- define "rynxs.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "rynxs.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "rynxs.leaseName" -}}
{{- default (include "rynxs.fullname" .) .Values.leaderElection.leaseName -}}
{{- end -}}

{{- define "rynxs.image" -}}
{{- with .Values.image -}}
{{- $tag := default $.Chart.AppVersion .tag -}}
{{- if .digest -}}
{{- if .tag }}{{ printf "%s:%s@%s" .repository .tag .digest }}{{ else }}{{ printf "%s@%s" .repository .digest }}{{ end -}}
{{- else -}}
{{- printf "%s:%s" .repository $tag -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
The pods of one component (operator, minio, test). Services, NetworkPolicies and the rest select by exactly these. What is not
the operator has a name of its own too, so that not even a selector by name and instance takes MinIO for the operator.
*/}}
{{- define "rynxs.selector" -}}
{{- $name := include "rynxs.name" .root -}}
{{- if has .component (list "minio" "test") -}}
{{- $name = printf "%s-%s" ($name | trunc 50 | trimSuffix "-") .component -}}
{{- end -}}
app.kubernetes.io/name: {{ $name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "rynxs.labels" -}}
{{ include "rynxs.selector" . }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: rynxs
{{- end -}}

{{/* Labels of one component and the user's own (extra); the chart's win, for objects are selected by them. */}}
{{- define "rynxs.labelsWith" -}}
{{- $own := include "rynxs.labels" . | fromYaml -}}
{{- merge $own (deepCopy (default dict .extra)) | toYaml -}}
{{- end -}}
