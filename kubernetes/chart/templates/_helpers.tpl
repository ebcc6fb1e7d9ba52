{{- define "egress.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "egress.labels" -}}
app.kubernetes.io/name: egress
app.kubernetes.io/instance: {{ include "egress.name" . }}
{{- end -}}

{{- define "egress.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "egress.authority" -}}
{{ .Values.authoritySecret | default (printf "%s-authority" (include "egress.name" .)) }}
{{- end -}}
