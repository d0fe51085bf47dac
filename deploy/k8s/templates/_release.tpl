{{- /*
What is in which slot. Two sources:
  release.active given: the values alone. image.tag is in that slot, release.previousTag in the other.
  else: the ConfigMap, as the rollback service or the last upgrade left it; under `helm template` there is none.
Out: active, idle (slots), activeTag, idleTag (idleTag empty: no idle slot), previous (slot to roll back to, or empty), candidate (a new version
waits in the idle slot), switched (this upgrade moves the traffic), since, lastRollback.
*/ -}}
{{- define "millrace.release" -}}
{{- $other := dict "blue" "green" "green" "blue" -}}
{{- $want := include "millrace.tag" . -}}
{{- $given := .Values.release -}}
{{- $known := dict -}}
{{- if not $given.active -}}
  {{- $known = dig "data" dict (lookup "v1" "ConfigMap" .Release.Namespace (printf "%s-release" (include "millrace.fullname" .))) -}}
{{- end -}}
{{- if get $known "rollingBack" -}}
  {{- fail "A rollback is under way; see the ConfigMap's rollingBack. Wait for its end." -}}
{{- end -}}
{{- $active := coalesce $given.active (get $known "active") "blue" -}}
{{- $idle := get $other $active -}}
{{- $versions := fromJson (default "{}" (get $known "versions")) -}}
{{- $activeTag := default $want (get $versions $active) -}}
{{- $idleTag := coalesce $given.previousTag (get $versions $idle) | default "" -}}
{{- $previous := ternary $idle (get $known "previous" | default "") (or (not $known) (ne $given.previousTag "")) -}}
{{- $candidate := false -}}
{{- $switched := false -}}
{{- if and (ne $want $activeTag) $given.promote -}}
  {{- include "millrace.mustBeReady" (dict "root" . "slot" $idle "tag" $want) -}}
  {{- $previous = $active -}}
  {{- $idleTag = $activeTag -}}
  {{- $activeTag = $want -}}
  {{- $active = $idle -}}
  {{- $idle = $previous -}}
  {{- $switched = true -}}
{{- else if ne $want $activeTag -}}
  {{- $idleTag = $want -}}
  {{- $previous = "" -}}
  {{- $candidate = true -}}
{{- end -}}
{{- if not $idleTag }}{{ $previous = "" }}{{ end -}}
active: {{ $active }}
idle: {{ $idle }}
activeTag: {{ $activeTag }}
idleTag: {{ $idleTag | quote }}
previous: {{ $previous | quote }}
candidate: {{ $candidate }}
switched: {{ $switched }}
since: {{ ternary (now | date "2006-01-02T15:04:05Z07:00") (get $known "since" | default "") $switched | quote }}
lastRollback: {{ get $known "lastRollback" | default "" | quote }}
{{- end -}}

{{- /* dict root slot tag: the traffic goes only to a version whose pods are ready. */ -}}
{{- define "millrace.mustBeReady" -}}
{{- $name := printf "%s-api-%s" (include "millrace.fullname" .root) .slot -}}
{{- $found := lookup "apps/v1" "Deployment" .root.Release.Namespace $name -}}
{{- $image := dig "spec" "template" "spec" "containers" list $found | first | default dict -}}
{{- if not (hasSuffix (printf ":%s" .tag) (get $image "image" | default "")) -}}
  {{- fail (printf "release.promote: %s does not hold %s; upgrade without release.promote first" $name .tag) -}}
{{- end -}}
{{- if lt (dig "status" "readyReplicas" 0 $found | int) 1 -}}
  {{- fail (printf "release.promote: %s has no ready pod" $name) -}}
{{- end -}}
{{- end -}}

{{- /* dict root name: spec.replicas as the cluster has it, 0 where there is no such Deployment. */ -}}
{{- define "millrace.live" -}}
{{- dig "spec" "replicas" 0 (lookup "apps/v1" "Deployment" .root.Release.Namespace .name) | int -}}
{{- end -}}

{{- /*
dict root release name slot idle follow scaled least: the line `replicas`, or none.
name is without the slot; idle: pods of the idle slot; follow: as many as the active one's for a candidate; scaled: an autoscaler has the active
slot; least: pods when it gets the traffic.
The live count of the active slot is repeated: a field that one upgrade sets and the next leaves out would fall back to 1.
*/ -}}
{{- define "millrace.replicas" -}}
{{- $other := ternary "green" "blue" (eq .slot "blue") -}}
{{- $live := include "millrace.live" (dict "root" .root "name" (printf "%s-%s" .name .slot)) | int -}}
{{- $liveOther := include "millrace.live" (dict "root" .root "name" (printf "%s-%s" .name $other)) | int -}}
{{- if ne .slot .release.active -}}
replicas: {{ ternary (max .idle $liveOther) .idle (and .release.candidate .follow) }}
{{- else if not .scaled -}}
replicas: {{ .least }}
{{- else if .release.switched -}}
replicas: {{ max .least $live $liveOther }}
{{- else if $live -}}
replicas: {{ $live }}
{{- end -}}
{{- end -}}

{{- /* What would not work together, said before anything is made. */ -}}
{{- define "millrace.checks" -}}
{{- $v := .Values -}}
{{- $database := $v.database -}}
{{- $sources := 0 -}}
{{- range list $v.models.existingClaim $v.models.image $v.models.emptyDir }}{{ if . }}{{ $sources = add1 $sources }}{{ end }}{{ end -}}
{{- if ne (int $sources) 1 }}{{ fail "models: give exactly one of existingClaim, image and emptyDir" }}{{ end -}}
{{- if gt (add $v.api.shutdown.preStop $v.api.shutdown.drain 5) (int64 $v.api.shutdown.grace) -}}
  {{- fail "api.shutdown: grace must be at least preStop + drain + 5" -}}
{{- end -}}
{{- $apis := ternary $v.api.autoscaling.max $v.api.replicas $v.api.autoscaling.enabled | int -}}
{{- $pods := 0 -}}
{{- $names := list -}}
{{- range $v.workers.groups -}}
  {{- $group := include "millrace.group" (dict "root" $ "group" .) | fromYaml -}}
  {{- if has .name $names }}{{ fail (printf "workers.groups: %s is there twice" .name) }}{{ end -}}
  {{- $names = append $names .name -}}
  {{- if gt (int $group.min) (int $group.max) }}{{ fail (printf "workers.groups %s: min is above max" .name) }}{{ end -}}
  {{- if gt (add $group.shutdown.drain 5) (int64 $group.shutdown.grace) -}}
    {{- fail (printf "workers.groups %s: shutdown.grace must be at least drain + 5" .name) -}}
  {{- end -}}
  {{- $pods = add $pods $group.max 1 -}}
  {{- $seen := mul 2 $group.max $group.jobsValue -}}
  {{- if and $v.keda.enabled (lt (int64 $database.window) $seen) -}}
    {{- fail (printf "workers.groups %s: database.window %d hides the backlog from scaling; it must be at least 2 * max * value = 2 * %d * %d = %d"
      .name (int $database.window) (int $group.max) (int $group.jobsValue) $seen) -}}
  {{- end -}}
{{- end -}}
{{- $need := add (mul 2 $apis $database.poolSize.api) (mul $pods $database.poolSize.worker) $database.reserved -}}
{{- if gt $need (int64 $database.maxConnections) -}}
  {{- $sum := printf "(2 slots * %d APIs) * %d + (%d workers, the idle slots' among them) * %d + %d reserved"
    $apis (int $database.poolSize.api) $pods (int $database.poolSize.worker) (int $database.reserved) -}}
  {{- fail (printf "database.maxConnections %d: the pods may open %d: %s. Raise it on the server and here, or lower a max or a pool"
    (int $database.maxConnections) $need $sum) -}}
{{- end -}}
{{- end -}}

{{- /* dict root group: the group over the defaults, with jobsValue and packsValue: messages for which one more worker is wanted. */ -}}
{{- define "millrace.group" -}}
{{- $group := mergeOverwrite (deepCopy .root.Values.workers.defaults) .group -}}
{{- $_ := set $group "jobsValue" (include "millrace.value" $group | int) -}}
{{- $_ := set $group "packsValue" (include "millrace.value" $group.packs | int) -}}
{{- $group | toYaml -}}
{{- end -}}

{{- define "millrace.value" -}}
{{- if .value }}{{ int .value }}{{ else }}{{ divf (mulf .concurrency .targetWait) .serviceTime | ceil | max 1 | int }}{{ end -}}
{{- end -}}
