{{- define "rynxs.endpoint" -}}
{{- if .Values.logSink.s3.endpoint -}}
{{- .Values.logSink.s3.endpoint -}}
{{- else if .Values.minio.enabled -}}
{{- printf "http://%s-minio.%s.svc:9000" (include "rynxs.fullname" .) .Release.Namespace -}}
{{- end -}}
{{- end -}}

{{/* The operator's environment, as the chart sets it. Numbers and booleans are quoted: EnvVar takes strings. */}}
{{- define "rynxs.env" -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: RYNXS_OPERATOR_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: RYNXS_WATCH
  value: {{ .Values.watch | toJson | quote }}
- name: RYNXS_KUBERNETES_EVENTS
  value: {{ .Values.kubernetesEvents.enabled | quote }}
- name: RYNXS_LEADER_ELECTION_ENABLED
  value: {{ .Values.leaderElection.enabled | quote }}
{{- with .Values.leaderElection }}
{{- if .enabled }}
- name: RYNXS_LEASE_NAME
  value: {{ include "rynxs.leaseName" $ | quote }}
- name: RYNXS_LEASE_DURATION_SECONDS
  value: {{ int .leaseDurationSeconds | quote }}
- name: RYNXS_RENEW_DEADLINE_SECONDS
  value: {{ int .renewDeadlineSeconds | quote }}
- name: RYNXS_RETRY_PERIOD_SECONDS
  value: {{ int .retryPeriodSeconds | quote }}
{{- end }}
{{- end }}
- name: RYNXS_HTTP_HOST
  value: "0.0.0.0"
- name: METRICS_ENABLED
  value: {{ .Values.metrics.enabled | quote }}
- name: METRICS_PORT
  value: {{ int .Values.metrics.port | quote }}
- name: RYNXS_LOG_LEVEL
  value: {{ .Values.logging.level | quote }}
- name: RYNXS_LOG_FORMAT
  value: {{ .Values.logging.format | quote }}
- name: RYNXS_SHUTDOWN_GRACE_SECONDS
  value: {{ sub (int .Values.terminationGracePeriodSeconds) 5 | quote }}
{{ include "rynxs.sinkEnv" . }}
{{- end -}}

{{- define "rynxs.sinkEnv" -}}
- name: EVENT_STORE_TYPE
  value: {{ .Values.logSink.type | quote }}
{{- if eq .Values.logSink.type "file" }}
{{- with .Values.logSink.file }}
- name: EVENT_STORE_PATH
  value: {{ .path | quote }}
{{- if .maxBytes }}
- name: EVENT_STORE_MAX_BYTES
  value: {{ int64 .maxBytes | quote }}
{{- end }}
{{- end }}
{{- else }}
{{- with include "rynxs.endpoint" . }}
- name: S3_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- with .Values.logSink.s3 }}
- name: S3_BUCKET
  value: {{ .bucket | quote }}
- name: S3_PREFIX
  value: {{ .prefix | quote }}
- name: S3_REGION
  value: {{ .region | quote }}
{{- if .batch }}
- name: RYNXS_S3_BATCH
  value: "true"
{{- end }}
{{- with .accessKeySecret }}
{{- if .name }}
- name: AWS_ACCESS_KEY_ID
  valueFrom:
    secretKeyRef:
      name: {{ .name | quote }}
      key: {{ .accessKeyIdKey | quote }}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom:
    secretKeyRef:
      name: {{ .name | quote }}
      key: {{ .secretAccessKeyKey | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
