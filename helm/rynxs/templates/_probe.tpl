{{- define "rynxs.probe" -}}
{{- if .probe.enabled -}}
{{ .name }}:
  httpGet:
    path: {{ .path }}
    port: http
  initialDelaySeconds: {{ int .probe.initialDelaySeconds }}
  periodSeconds: {{ int .probe.periodSeconds }}
  timeoutSeconds: {{ int .probe.timeoutSeconds }}
  failureThreshold: {{ int .probe.failureThreshold }}
{{- end -}}
{{- end -}}
