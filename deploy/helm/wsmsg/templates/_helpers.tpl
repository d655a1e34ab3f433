{{- define "wsmsg.name" -}}
{{- .Release.Name | trunc 45 | trimSuffix "-" -}}
{{- end -}}

{{- /* A dict with root and daemon (connect or message). */ -}}
{{- define "wsmsg.selector" -}}
app.kubernetes.io/name: wsmsg
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .daemon }}
{{- end -}}

{{- define "wsmsg.labels" -}}
{{ include "wsmsg.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "wsmsg.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "wsmsg.embedded" -}}
{{- if or (hasPrefix "sqlite:" .Values.message.journal) (hasPrefix "sqlite:" .Values.message.store) -}}true{{- end -}}
{{- end -}}

{{- define "wsmsg.checked" -}}
{{- $message := .Values.message -}}
{{- if gt (int $message.replicas) 1 -}}
{{- if include "wsmsg.embedded" . -}}
{{- fail "message.replicas above 1 needs message.journal in Kafka and message.store in MongoDB" -}}
{{- end -}}
{{- if hasPrefix "memory:" $message.presence -}}
{{- fail "message.replicas above 1 needs message.presence in Redis" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Variables of both daemons. */ -}}
{{- define "wsmsg.env" -}}
- name: WSMSG_COMMON__NODE
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: WSMSG_COMMON__PEER__SECRETS_FILE
  value: /etc/wsmsg/peer/secrets
- name: WSMSG_COMMON__DRAIN__LEAD_S
  value: {{ .Values.drain.leadSeconds | quote }}
- name: WSMSG_COMMON__STOP_S
  value: {{ .Values.drain.stopSeconds | quote }}
{{- with .Values.tls.rpc }}
{{- if .existingSecret }}
- name: WSMSG_COMMON__TLS__RPC_LISTEN__CERT
  value: /etc/wsmsg/tls-rpc/tls.crt
- name: WSMSG_COMMON__TLS__RPC_LISTEN__KEY
  value: /etc/wsmsg/tls-rpc/tls.key
- name: WSMSG_COMMON__PEER__CA
  value: /etc/wsmsg/tls-rpc/ca.crt
- name: WSMSG_COMMON__PEER__NAME
  value: {{ .name | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "wsmsg.probes" -}}
# Alive once it has been imported and its reactor runs.
startupProbe:
  httpGet: {path: /healthz, port: admin}
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: admin}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 1
{{- end -}}

{{- /* A dict with root and daemon. */ -}}
{{- define "wsmsg.pod" -}}
{{- $values := get .root.Values .daemon -}}
automountServiceAccountToken: false
# After SIGTERM the daemon is not ready, waits for leadSeconds and then stops: a preStop
# hook that sleeps is not needed.
terminationGracePeriodSeconds: {{ add .root.Values.drain.leadSeconds .root.Values.drain.stopSeconds 5 }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "wsmsg.selector" . | nindent 8 }}
{{- end -}}

{{- define "wsmsg.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- /* Volumes of both daemons, and where they are mounted. */ -}}
{{- define "wsmsg.volumes" -}}
- name: settings
  configMap: {name: {{ include "wsmsg.name" . }}}
- name: peer
  secret:
    secretName: {{ .Values.auth.peer.existingSecret }}
    items: [{key: {{ .Values.auth.peer.key | quote }}, path: secrets}]
- name: tmp
  emptyDir: {}
{{- with .Values.tls.rpc.existingSecret }}
- name: tls-rpc
  secret: {secretName: {{ . }}}
{{- end }}
{{- with .Values.auth.apiKeys }}
{{- if .existingSecret }}
- name: api-keys
  secret:
    secretName: {{ .existingSecret }}
    items: [{key: {{ .key | quote }}, path: api.keys}]
{{- end }}
{{- end }}
{{- end -}}

{{- define "wsmsg.mounts" -}}
- {name: settings, mountPath: /etc/wsmsg/settings, readOnly: true}
- {name: peer, mountPath: /etc/wsmsg/peer, readOnly: true}
- {name: data, mountPath: /var/lib/wsmsg}
- {name: tmp, mountPath: /tmp}
{{- if .Values.tls.rpc.existingSecret }}
- {name: tls-rpc, mountPath: /etc/wsmsg/tls-rpc, readOnly: true}
{{- end }}
{{- if .Values.auth.apiKeys.existingSecret }}
- {name: api-keys, mountPath: /etc/wsmsg/keys, readOnly: true}
{{- end }}
{{- end -}}
