{{- define "fleetwright.name" -}}
{{- if eq .Release.Name "fleetwright" -}}fleetwright{{- else -}}{{ printf "%s-fleetwright" .Release.Name | trunc 63 | trimSuffix "-" }}{{- end -}}
{{- end -}}

{{- define "fleetwright.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "fleetwright.name" .) -}}
{{- end -}}

{{/* Whether webhooks are taken in: not empty, where they are. */}}
{{- define "fleetwright.webhooks" -}}
{{- if .Values.webhook.secret -}}true{{- end -}}
{{- range .Values.fleets -}}{{- if .webhookSecretFile -}}true{{- end -}}{{- end -}}
{{- end -}}

{{- define "fleetwright.selector" -}}
app.kubernetes.io/name: fleetwright
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "fleetwright.metadata" -}}
name: {{ include "fleetwright.name" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "fleetwright.selector" . | nindent 2 }}
  app.kubernetes.io/managed-by: {{ .Release.Service }}
  helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}
