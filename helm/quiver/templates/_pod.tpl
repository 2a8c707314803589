{{/* What pods of all roles share. Takes (dict "root" . "role" "shard"). */}}
{{- define "quiver.podMetadata" -}}
{{- $values := index .root.Values .role }}
labels:
  {{- include "quiver.roleLabels" . | nindent 2 }}
  {{- with $values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  # A changed configuration or key restarts the pods.
  checksum/config: {{ toJson .root.Values.config | sha256sum }}
  {{- if eq .role "router" }}
  checksum/secret: {{ printf "%v %v" .root.Values.apiKey .root.Values.readOnlyApiKey | sha256sum }}
  {{- end }}
  {{- with $values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "quiver.podPlacement" -}}
{{- $values := index .root.Values .role }}
serviceAccountName: {{ include "quiver.fullname" .root }}
automountServiceAccountToken: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- if .root.Values.shareProcessNamespace }}
shareProcessNamespace: true
{{- end }}
terminationGracePeriodSeconds: {{ .root.Values.terminationGracePeriodSeconds }}
securityContext:
  {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- tpl (toYaml .) $.root | nindent 2 }}
{{- end }}
topologySpreadConstraints:
{{- if $values.topologySpreadConstraints }}
  {{- tpl (toYaml $values.topologySpreadConstraints) .root | nindent 2 }}
{{- else }}
  # Wishes, not conditions: a cluster of one zone or few machines starts all the same.
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "quiver.roleSelectorLabels" $ | nindent 8 }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "quiver.containerShared" -}}
{{- $values := index .root.Values .role }}
image: "{{ .root.Values.image.repository }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}"
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  {{- toYaml .root.Values.containerSecurityContext | nindent 2 }}
{{- range $probe := list "readinessProbe" "livenessProbe" "startupProbe" }}
{{- $settings := index $.root.Values $probe }}
{{- if $settings.enabled }}
{{ $probe }}:
  httpGet:
    path: {{ ternary "/readyz" "/livez" (eq $probe "readinessProbe") }}
    port: http
  {{- toYaml (omit $settings "enabled") | nindent 2 }}
{{- end }}
{{- end }}
{{- with .root.Values.lifecycle }}
lifecycle:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  {{- if ne .role "router" }}
  - { name: storage, mountPath: /quiver/storage }
  {{- end }}
  - { name: config, mountPath: /quiver/config, readOnly: true }
  - { name: tmp, mountPath: /tmp }
  {{- with .root.Values.additionalVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "quiver.volumes" -}}
- name: config
  configMap:
    name: {{ include "quiver.fullname" .root }}
- name: tmp
  emptyDir: {}
{{- with .root.Values.additionalVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
