{{/*
The StatefulSet of a role with a volume and a name that lasts. Takes (dict "root" . "role" "shard" "args" (list …)).
All pods start at once, and one is replaced after another.
*/}}
{{- define "quiver.statefulSet" -}}
{{- $values := index .root.Values .role }}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ include "quiver.roleName" . }}
  labels:
    {{- include "quiver.roleLabels" . | nindent 4 }}
  {{- with .root.Values.additionalAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  replicas: {{ $values.replicaCount }}
  serviceName: {{ include "quiver.roleName" . }}-headless
  podManagementPolicy: {{ .root.Values.podManagementPolicy }}
  minReadySeconds: {{ .root.Values.minReadySeconds }}
  updateStrategy:
    type: RollingUpdate
  persistentVolumeClaimRetentionPolicy:
    {{- toYaml .root.Values.persistentVolumeClaimRetentionPolicy | nindent 4 }}
  selector:
    matchLabels:
      {{- include "quiver.roleSelectorLabels" . | nindent 6 }}
  template:
    metadata:
      {{- include "quiver.podMetadata" . | nindent 6 }}
    spec:
      {{- include "quiver.podPlacement" . | nindent 6 }}
      containers:
        - name: {{ .role }}
          args:
            - {{ .role }}
            - --id
            - $(POD_NAME)
            - --listen
            - 0.0.0.0:6335
            - --advertise
            - http://$(POD_NAME).{{ include "quiver.headlessDomain" . }}:6335
            {{- toYaml .args | nindent 12 }}
          env:
            - name: POD_NAME
              valueFrom:
                fieldRef:
                  fieldPath: metadata.name
            {{- with $values.env }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          ports:
            - { name: internal, containerPort: 6335 }
            - { name: http, containerPort: 6333 }
          {{- include "quiver.containerShared" . | nindent 10 }}
        {{- with .root.Values.sidecarContainers }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      volumes:
        {{- include "quiver.volumes" . | nindent 8 }}
  volumeClaimTemplates:
    - metadata:
        name: storage
        labels:
          {{- include "quiver.roleSelectorLabels" . | nindent 10 }}
        {{- with $values.persistence.annotations }}
        annotations:
          {{- toYaml . | nindent 10 }}
        {{- end }}
      spec:
        accessModes:
          {{- toYaml $values.persistence.accessModes | nindent 10 }}
        {{- with $values.persistence.storageClassName }}
        storageClassName: {{ . }}
        {{- end }}
        resources:
          requests:
            storage: {{ $values.persistence.size }}
{{- end }}
