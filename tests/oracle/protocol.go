package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

type request struct {
	// apply, update, toSet or compare
	Op string `json:"op"`

	// For apply and update. Live is the stored object, null where there is none.
	// Config is what is applied, or for update the whole new object.
	Live        json.RawMessage `json:"live"`
	Config      json.RawMessage `json:"config"`
	Manager     string          `json:"manager"`
	Force       bool            `json:"force"`
	Subresource string          `json:"subresource"`
	// What the server's clock shows. Absent, it is the real time.
	Now *metav1.Time `json:"now"`

	// For toSet.
	Object json.RawMessage `json:"object"`
	// For compare.
	Old json.RawMessage `json:"old"`
	New json.RawMessage `json:"new"`
}

// answer holds one of: the object, conflicts, sets, an error.
type answer struct {
	Object    json.RawMessage `json:"object,omitempty"`
	Conflicts []conflict      `json:"conflicts,omitempty"`

	Set      json.RawMessage `json:"set,omitempty"`
	Added    json.RawMessage `json:"added,omitempty"`
	Modified json.RawMessage `json:"modified,omitempty"`
	Removed  json.RawMessage `json:"removed,omitempty"`

	Error string `json:"error,omitempty"`
	// Of the HTTP answer, beside conflicts and errors.
	Code    int32               `json:"code,omitempty"`
	Reason  metav1.StatusReason `json:"reason,omitempty"`
	Message string              `json:"message,omitempty"`
}

type conflict struct {
	Manager     string `json:"manager"`
	Subresource string `json:"subresource,omitempty"`
	// Empty for a manager that applies: the server keeps those apart from their
	// version.
	APIVersion string `json:"apiVersion,omitempty"`
	Path       string `json:"path"`
}

func failed(format string, args ...any) answer {
	return answer{Error: fmt.Sprintf(format, args...)}
}

func refused(status metav1.Status) answer {
	a := answer{Code: status.Code, Reason: status.Reason}
	if status.Details != nil {
		for _, cause := range status.Details.Causes {
			if cause.Type == metav1.CauseTypeFieldManagerConflict {
				a.Conflicts = append(a.Conflicts, parseConflict(cause))
			}
		}
	}
	if a.Conflicts == nil {
		a.Error = status.Message
	} else {
		a.Message = status.Message
	}
	return a
}

// parseConflict takes apart the only form in which the server names a manager:
//
//	conflict with "name" with subresource "status" using group/version at 2026-01-01T00:00:00Z
func parseConflict(cause metav1.StatusCause) conflict {
	c := conflict{Path: cause.Field}
	rest := strings.TrimPrefix(cause.Message, "conflict with ")
	c.Manager, rest = quoted(rest)
	if after, ok := strings.CutPrefix(rest, " with subresource "); ok {
		c.Subresource, rest = quoted(after)
	}
	if after, ok := strings.CutPrefix(rest, " using "); ok {
		c.APIVersion, _, _ = strings.Cut(after, " ")
	}
	return c
}

func quoted(s string) (value, rest string) {
	prefix, err := strconv.QuotedPrefix(s)
	if err != nil {
		return s, ""
	}
	value, _ = strconv.Unquote(prefix)
	return value, s[len(prefix):]
}
