{{/* What a JSON schema cannot say, or not in words that help. */}}
{{- define "rynxs.checks" -}}
{{- include "rynxs.checkSink" . -}}
{{- include "rynxs.checkElection" . -}}
{{- include "rynxs.checkMinio" . -}}
{{- include "rynxs.checkEnv" . -}}
{{- with .Values.podDisruptionBudget -}}
{{- if and .enabled (ne (toString .minAvailable) "") (ne (toString .maxUnavailable) "") -}}
{{- fail "podDisruptionBudget: set minAvailable or maxUnavailable, not both; empty the other: \"\"" -}}
{{- end -}}
{{- if and .enabled (eq (toString .minAvailable) "") (eq (toString .maxUnavailable) "") -}}
{{- fail "podDisruptionBudget: set minAvailable or maxUnavailable" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "rynxs.checkSink" -}}
{{- $sink := .Values.logSink -}}
{{- if eq $sink.type "file" -}}
{{- if gt (int .Values.replicaCount) 1 -}}
{{- fail (printf "logSink.type \"file\" allows one replica, replicaCount is %d: a log file is written by one process, and two processes on different nodes cannot share a file's lock (a network file system may grant it to both), nor can a ReadWriteOnce volume be mounted on two nodes. Set replicaCount: 1, or logSink.type: s3" (int .Values.replicaCount)) -}}
{{- end -}}
{{- if $sink.s3.enabled -}}
{{- fail "logSink.s3.enabled is true but logSink.type is \"file\": set logSink.type: s3, or logSink.s3.enabled: false" -}}
{{- end -}}
{{- else -}}
{{- if not $sink.s3.bucket -}}
{{- fail "logSink.type \"s3\" needs a bucket: set logSink.s3.bucket to the name of one that exists" -}}
{{- end -}}
{{- end -}}
{{- if contains "@" $sink.s3.endpoint -}}
{{- fail "logSink.s3.endpoint must not hold credentials (USER:PASSWORD@): put them in a Secret and name it in logSink.s3.accessKeySecret.name" -}}
{{- end -}}
{{- end -}}

{{- define "rynxs.checkElection" -}}
{{- with .Values.leaderElection -}}
{{- if and (not .enabled) (gt (int $.Values.replicaCount) 1) -}}
{{- fail (printf "leaderElection.enabled is false and replicaCount is %d: without an election every replica would record every change, and they would race for the log. Set replicaCount: 1, or leaderElection.enabled: true" (int $.Values.replicaCount)) -}}
{{- end -}}
{{- if ge (int .renewDeadlineSeconds) (int .leaseDurationSeconds) -}}
{{- fail (printf "leaderElection.renewDeadlineSeconds (%d) must be less than leaderElection.leaseDurationSeconds (%d): a leader has to give up before another may take over" (int .renewDeadlineSeconds) (int .leaseDurationSeconds)) -}}
{{- end -}}
{{- if ge (mul 12 (int .retryPeriodSeconds)) (mul 10 (int .renewDeadlineSeconds)) -}}
{{- fail (printf "leaderElection.retryPeriodSeconds (%d) times 1.2 must be less than leaderElection.renewDeadlineSeconds (%d): one failed renewal must not cost the leadership" (int .retryPeriodSeconds) (int .renewDeadlineSeconds)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "rynxs.checkMinio" -}}
{{- if .Values.minio.enabled -}}
{{- if ne .Values.logSink.type "s3" -}}
{{- fail "minio.enabled needs logSink.type: s3 and logSink.s3.bucket; the bucket is made in MinIO" -}}
{{- end -}}
{{- if not .Values.logSink.s3.accessKeySecret.name -}}
{{- fail "minio.enabled needs logSink.s3.accessKeySecret.name: MinIO and the operator take their key from this Secret. Make one: kubectl create secret generic rynxs-s3 --from-literal=accessKeyId=rynxs --from-literal=secretAccessKey=\"$(openssl rand -hex 20)\"" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Values are kept in the release, where many can read them: what is secret stays out of them. */}}
{{- define "rynxs.checkEnv" -}}
{{- $own := list -}}
{{- range include "rynxs.env" . | fromYamlArray -}}{{- $own = append $own .name -}}{{- end -}}
{{- range .Values.extraEnv -}}
{{- if and (hasKey . "value") (regexMatch "(SECRET|PASSWORD|PASSWD|TOKEN|CREDENTIAL|ACCESS_KEY)" (upper .name)) (not (hasSuffix "_FILE" (upper .name))) -}}
{{- fail (printf "extraEnv: %s looks like a credential and must not be in the values: use valueFrom.secretKeyRef, or logSink.s3.accessKeySecret, or workload identity by serviceAccount.annotations" .name) -}}
{{- end -}}
{{- if has .name $own -}}
{{- fail (printf "extraEnv: %s is set by the chart already: use its value" .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
