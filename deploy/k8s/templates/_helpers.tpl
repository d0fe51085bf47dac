{{- /* Names, labels and what every pod has. */ -}}

{{- define "millrace.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 30 | trimSuffix "-" -}}
{{- end -}}

{{- define "millrace.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "millrace.labels" -}}
{{ include "millrace.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "millrace.tag" -}}
{{- $tag := default .Chart.AppVersion .Values.image.tag -}}
{{- if not (regexMatch "^[0-9]+\\.[0-9]+\\.[0-9]+-[0-9a-f]{7,40}$" $tag) -}}
{{- fail (printf "image.tag: '%s' is not a version with its commit; give the one to install, as 1.2.0-0123abc" $tag) -}}
{{- end -}}
{{- $tag -}}
{{- end -}}

{{- /* dict root process tag */ -}}
{{- define "millrace.image" -}}
{{- with .root.Values.image.registry }}{{ . }}/{{ end }}millrace-{{ .process }}:{{ .tag }}
{{- end -}}

{{- /* Seconds as hh:mm:ss. */ -}}
{{- define "millrace.span" -}}
{{- $s := int . -}}
{{- printf "%02d:%02d:%02d" (div $s 3600) (mod (div $s 60) 60) (mod $s 60) -}}
{{- end -}}

{{- define "millrace.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1654
runAsGroup: 1654
fsGroup: 1654
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "millrace.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "millrace.tmp" -}}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- end -}}

{{- /* Probes on the port called management. Liveness asks for nothing outside of the process. */ -}}
{{- define "millrace.probes" -}}
startupProbe:
  httpGet: {path: /health/startup, port: management}
  periodSeconds: 2
  failureThreshold: 30
readinessProbe:
  httpGet: {path: /health/ready, port: management}
  periodSeconds: 5
  failureThreshold: 2
livenessProbe:
  httpGet: {path: /health/live, port: management}
  periodSeconds: 10
  failureThreshold: 3
{{- end -}}

{{- /* dict root labels topology: over zones, then nodes. */ -}}
{{- define "millrace.spread" -}}
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- topologyKey: {{ $key }}
  maxSkew: 1
  whenUnsatisfiable: {{ $.topology }}
  matchLabelKeys: [pod-template-hash]
  labelSelector:
    matchLabels: {{- $.labels | nindent 6 }}
{{- end }}
{{- end -}}

{{- /* Lists of names that are a list of {name: ...} in Kubernetes. */ -}}
{{- define "millrace.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
- name: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* A map as env. */ -}}
{{- define "millrace.env" -}}
{{- range $name, $value := . }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end -}}
