package main

import (
	"encoding/json"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
)

// typed reads an object by its own kind's schema.
func (s *server) typed(raw json.RawMessage, options ...typed.ValidationOptions) (*typed.TypedValue, error) {
	var u unstructured.Unstructured
	if err := u.UnmarshalJSON(raw); err != nil {
		return nil, err
	}
	k, err := s.kindOf(u.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	return k.converter.ObjectToTyped(&u, options...)
}

// toSet lists the fields of an object, read strictly as an applied one is.
func (s *server) toSet(req request) answer {
	value, err := s.typed(req.Object)
	if err != nil {
		return failed("object: %v", err)
	}
	set, err := value.ToFieldSet()
	if err != nil {
		return failed("object: %v", err)
	}
	var a answer
	if a.Set, err = set.ToJSON(); err != nil {
		return failed("set: %v", err)
	}
	return a
}

// compare tells two objects apart, read as stored ones are: twice the same
// member of a set is let be.
func (s *server) compare(req request) answer {
	before, err := s.typed(req.Old, typed.AllowDuplicates)
	if err != nil {
		return failed("old: %v", err)
	}
	after, err := s.typed(req.New, typed.AllowDuplicates)
	if err != nil {
		return failed("new: %v", err)
	}
	c, err := before.Compare(after)
	if err != nil {
		return failed("compare: %v", err)
	}
	var a answer
	for _, part := range []struct {
		set  *fieldpath.Set
		into *json.RawMessage
	}{{c.Added, &a.Added}, {c.Modified, &a.Modified}, {c.Removed, &a.Removed}} {
		if *part.into, err = part.set.ToJSON(); err != nil {
			return failed("compare: %v", err)
		}
	}
	return a
}
