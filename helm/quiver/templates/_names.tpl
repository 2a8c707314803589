{{/* Names and labels. Each takes the root; those of a role take (dict "root" . "role" "meta"). */}}
{{- define "quiver.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Cut at 50: room for "-headless" and a pod's ordinal within a host name's 63. */}}
{{- define "quiver.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 44 | trimSuffix "-" }}
{{- else if contains (include "quiver.name" .) .Release.Name }}
{{- .Release.Name | trunc 44 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "quiver.name" .) | trunc 44 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "quiver.roleName" -}}
{{- include "quiver.fullname" .root }}-{{ .role }}
{{- end }}

{{- define "quiver.selectorLabels" -}}
app.kubernetes.io/name: {{ include "quiver.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "quiver.roleSelectorLabels" -}}
{{ include "quiver.selectorLabels" .root }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{- define "quiver.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "quiver.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.additionalLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "quiver.roleLabels" -}}
{{ include "quiver.labels" .root }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{/* DNS name of a headless service: names under it are there whether a pod is ready or not. */}}
{{- define "quiver.headlessDomain" -}}
{{ include "quiver.roleName" . }}-headless.{{ .root.Release.Namespace }}.svc.{{ .root.Values.clusterDomain }}
{{- end }}

{{/* NAME=http://host:6335 of every metadata server, by commas. */}}
{{- define "quiver.metaPeers" -}}
{{- $role := dict "root" . "role" "meta" }}
{{- $name := include "quiver.roleName" $role }}
{{- $domain := include "quiver.headlessDomain" $role }}
{{- range $i := until (int .Values.meta.replicaCount) }}
{{- if $i }},{{ end }}{{ $name }}-{{ $i }}=http://{{ $name }}-{{ $i }}.{{ $domain }}:6335
{{- end }}
{{- end }}

{{- define "quiver.metaUrls" -}}
{{- $role := dict "root" . "role" "meta" }}
{{- $name := include "quiver.roleName" $role }}
{{- $domain := include "quiver.headlessDomain" $role }}
{{- range $i := until (int .Values.meta.replicaCount) }}
{{- if $i }},{{ end }}http://{{ $name }}-{{ $i }}.{{ $domain }}:6335
{{- end }}
{{- end }}

{{/* Takes (dict "root" . "key" "apiKey"): does the chart's own Secret hold this key? */}}
{{- define "quiver.ownsKey" -}}
{{- $value := index .root.Values .key }}
{{- if and $value (not (kindIs "map" $value)) }}true{{ end }}
{{- end }}
