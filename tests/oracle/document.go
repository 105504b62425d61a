package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// document is an object of which only the metadata are taken apart; the rest
// goes through as it came, numbers included.
type document struct {
	metav1.TypeMeta
	raw      json.RawMessage
	fields   map[string]json.RawMessage
	metadata map[string]json.RawMessage
	// Nil where there are none, or none that can be read: the server shall see
	// what was sent.
	managedFields []map[string]json.RawMessage
}

func parseDocument(raw json.RawMessage) (*document, error) {
	d := &document{raw: raw}
	if err := json.Unmarshal(raw, &d.fields); err != nil {
		return nil, err
	}
	if d.fields == nil {
		return nil, fmt.Errorf("not an object")
	}
	for key, into := range map[string]any{"apiVersion": &d.APIVersion, "kind": &d.Kind, "metadata": &d.metadata} {
		if value, ok := d.fields[key]; ok {
			if err := json.Unmarshal(value, into); err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	if value, ok := d.metadata["managedFields"]; ok {
		if json.Unmarshal(value, &d.managedFields) != nil {
			d.managedFields = nil
		}
	}
	return d, nil
}

// text is the string at a key of the metadata, empty if there is none.
func (d *document) text(key string) string {
	var s string
	_ = json.Unmarshal(d.metadata[key], &s)
	return s
}

func (d *document) set(key, value string) {
	if d.metadata == nil {
		d.metadata = map[string]json.RawMessage{}
	}
	d.metadata[key], _ = marshal(value)
	d.raw = nil
}

func (d *document) remove(key string) {
	delete(d.metadata, key)
	d.raw = nil
}

// encode writes the document with the times of its managers moved by shift.
func (d *document) encode(shift time.Duration) (json.RawMessage, error) {
	if d.raw != nil && (shift == 0 || len(d.managedFields) == 0) {
		return d.raw, nil
	}
	var err error
	if len(d.managedFields) > 0 {
		entries := make([]map[string]json.RawMessage, len(d.managedFields))
		for i, entry := range d.managedFields {
			entries[i] = maps.Clone(entry)
			if value, ok := entry["time"]; ok {
				entries[i]["time"] = moveTime(value, shift)
			}
		}
		if d.metadata["managedFields"], err = marshal(entries); err != nil {
			return nil, err
		}
	}
	if d.metadata != nil {
		if d.fields["metadata"], err = marshal(d.metadata); err != nil {
			return nil, err
		}
	}
	return marshal(d.fields)
}

// marshal leaves <, > and & alone, as the server does within the sets of fields.
func marshal(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

// moveTime leaves alone what is no time, null included.
func moveTime(raw json.RawMessage, shift time.Duration) json.RawMessage {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return raw
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return raw
	}
	moved, _ := marshal(t.Add(shift).UTC().Format(time.RFC3339))
	return moved
}

// atTime calls the server as if its clock showed now. The server reads the real
// clock, so instead the times it compares with are moved by the same distance,
// whole seconds as it keeps them, and shift tells how to move its answer back.
// A call in which the second changed is made anew: it changes nothing.
func atTime(
	now *metav1.Time, live, config *document, call func(live, config []byte) (int, []byte),
) (code int, body []byte, shift time.Duration, err error) {
	for {
		second := time.Now().Unix()
		if now != nil {
			shift = time.Duration(second-now.Unix()) * time.Second
		}
		var liveBytes, configBytes []byte
		if live != nil {
			if liveBytes, err = live.encode(shift); err != nil {
				return 0, nil, 0, err
			}
		}
		if configBytes, err = config.encode(shift); err != nil {
			return 0, nil, 0, err
		}
		code, body = call(liveBytes, configBytes)
		if now == nil || time.Now().Unix() == second {
			return code, body, shift, nil
		}
	}
}

// filled are the fields that the live object lacked.
type filled []string

// complete makes a stored object of the live one. All of those have a uid and a
// version, and without them would be taken for new; and their sets of fields are
// in the server's own order, by whose bytes it tells whether anything changed.
// An update gets the version that it replaces.
func complete(live, config *document, op string) (f filled) {
	if live == nil {
		return nil
	}
	for key, value := range map[string]string{
		"uid": "00000000-0000-0000-0000-000000000001", "resourceVersion": "1",
	} {
		if live.text(key) == "" {
			live.set(key, value)
			f = append(f, key)
		}
	}
	for _, entry := range live.managedFields {
		var set fieldpath.Set
		if set.FromJSON(bytes.NewReader(entry["fieldsV1"])) != nil {
			continue
		}
		if ordered, err := set.ToJSON(); err == nil {
			entry["fieldsV1"] = ordered
			live.raw = nil
		}
	}
	if op == "update" && config.text("resourceVersion") == "" {
		config.set("resourceVersion", live.text("resourceVersion"))
	}
	return f
}

// finish takes back what complete put in, the shift of time, and a new object's
// uid, which is random.
func finish(body []byte, shift time.Duration, created bool, f filled) (json.RawMessage, error) {
	d, err := parseDocument(body)
	if err != nil {
		return nil, err
	}
	if created {
		d.remove("uid")
		if value, ok := d.metadata["creationTimestamp"]; ok {
			d.metadata["creationTimestamp"] = moveTime(value, -shift)
		}
	}
	for _, key := range f {
		d.remove(key)
	}
	return d.encode(-shift)
}
