{{- define "fleetwright.name" -}}
{{- if eq .Release.Name "fleetwright" -}}fleetwright{{- else -}}{{ printf "%s-fleetwright" .Release.Name | trunc 63 | trimSuffix "-" }}{{- end -}}
{{- end -}}

{{- define "fleetwright.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "fleetwright.name" .) -}}
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
