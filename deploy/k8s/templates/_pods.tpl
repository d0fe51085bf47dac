{{- /* What the pods of the API, the workers and the hooks share: addresses, secrets, models. */ -}}

{{- define "millrace.brokerName" -}}{{ include "millrace.fullname" . }}-rabbitmq{{- end -}}
{{- define "millrace.brokerHost" -}}{{ include "millrace.brokerName" . }}.{{ .Release.Namespace }}.svc{{- end -}}
{{- define "millrace.databaseName" -}}{{ include "millrace.fullname" . }}-postgres{{- end -}}

{{- define "millrace.managementUrl" -}}
{{- if .Values.broker.operator.enabled -}}
http://{{ include "millrace.brokerHost" . }}:15672
{{- else -}}
{{ .Values.broker.managementUrl }}
{{- end -}}
{{- end -}}

{{- /* dict root pool. The operator's broker Secret has user and password apart, and no virtual host; $(NAME) is put in by the kubelet. */ -}}
{{- define "millrace.serverEnv" -}}
{{- $v := .root.Values -}}
- {name: MILLRACE__STORE__MAXCONNECTIONS, value: {{ .pool | quote }}}
- {name: MILLRACE__STORE__WINDOW, value: {{ $v.database.window | int | quote }}}
{{- with $v.broker.prefix }}
- {name: MILLRACE__BROKER__PREFIX, value: {{ . | quote }}}
{{- end }}
{{- if $v.broker.operator.enabled }}
{{- $secret := printf "%s-default-user" (include "millrace.brokerName" .root) }}
- name: BROKER_USERNAME
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: username}}
- name: BROKER_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: password}}
- name: MILLRACE__BROKER__URL
  value: amqp://$(BROKER_USERNAME):$(BROKER_PASSWORD)@{{ include "millrace.brokerHost" .root }}:5672/{{ $v.broker.vhost }}
{{- end }}
{{- with $v.monitoring.tracesEndpoint }}
- {name: MILLRACE__TRACES__ENDPOINT, value: {{ . | quote }}}
- {name: MILLRACE__TRACES__SAMPLERATIO, value: {{ $v.monitoring.tracesSampleRatio | quote }}}
{{- end }}
- {name: MILLRACE__LOGS__FORMAT, value: json}
- {name: DOTNET_EnableDiagnostics, value: '0'}
{{- end -}}

{{- /* dict root slot: the drill may make this slot fail. */ -}}
{{- define "millrace.chaosEnv" -}}
{{- if .root.Values.drill.enabled }}
- {name: MILLRACE__CHAOS__ENABLED, value: 'true'}
- {name: MILLRACE__CHAOS__SCOPE, value: {{ .slot }}}
- {name: DOTNET_ENVIRONMENT, value: Staging}
{{- end }}
{{- end -}}

{{- /* /run/secrets: a file for each setting. */ -}}
{{- define "millrace.secretsVolume" -}}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
    - secret:
        {{- if .Values.database.operator.enabled }}
        name: {{ include "millrace.databaseName" . }}-app
        items: [{key: uri, path: MILLRACE__STORE__URL}]
        {{- else }}
        name: {{ .Values.database.existingSecret }}
        items: [{key: {{ .Values.database.urlKey }}, path: MILLRACE__STORE__URL}]
        {{- end }}
    {{- if not .Values.broker.operator.enabled }}
    - secret:
        name: {{ .Values.broker.existingSecret }}
        items: [{key: {{ .Values.broker.urlKey }}, path: MILLRACE__BROKER__URL}]
    {{- end }}
{{- end -}}

{{- define "millrace.modelsVolume" -}}
- name: models
  {{- if .Values.models.existingClaim }}
  persistentVolumeClaim: {claimName: {{ .Values.models.existingClaim }}, readOnly: true}
  {{- else }}
  emptyDir: {sizeLimit: 4Gi}
  {{- end }}
{{- end -}}

{{- /* Copies the models out of their image. */ -}}
{{- define "millrace.modelsInit" -}}
{{- with .Values.models.image }}
initContainers:
- name: models
  image: {{ . }}
  imagePullPolicy: {{ $.Values.image.pullPolicy }}
  command: {{ $.Values.models.command | toJson }}
  securityContext: {{- include "millrace.containerSecurity" $ | nindent 4 }}
  resources: {requests: {cpu: 50m, memory: 64Mi}, limits: {memory: 64Mi}}
  volumeMounts:
  - {name: models, mountPath: /target}
  - {name: tmp, mountPath: /tmp}
{{- end }}
{{- end -}}
