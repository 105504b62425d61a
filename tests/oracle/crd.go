package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensionsapiserver "k8s.io/apiextensions-apiserver/pkg/apiserver"
	listers "k8s.io/apiextensions-apiserver/pkg/client/listers/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/controller/openapi/builder"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/tools/cache"
	"k8s.io/kube-openapi/pkg/spec3"
	openapiutil "k8s.io/kube-openapi/pkg/util"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/yaml"
)

// addCustomKinds serves the kinds of CRD files by the handler of
// apiextensions-apiserver.
func (s *server) addCustomKinds(crdFiles []string, validate bool) error {
	// Where the server's own handler gets the structure of metadata from.
	static, err := models(openapiutil.GetCanonicalTypeName(&apiextensionsv1.CustomResourceDefinition{}))
	if err != nil {
		return err
	}
	crds := newInformer()
	handler, err := apiextensionsapiserver.NewCustomResourceDefinitionHandler(
		nil, nil, crds, http.NotFoundHandler(),
		borrowedStorage{codec: unstructured.UnstructuredJSONScheme},
		nil, nil, nil, nil, 1, allowed, 0, 0, static, 0)
	if err != nil {
		return err
	}
	for _, file := range crdFiles {
		crd, err := readCRD(file, validate)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := crds.informer.GetIndexer().Add(crd); err != nil {
			return err
		}
		converter, err := converterOf(static, crd)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, version := range crd.Spec.Versions {
			if !version.Served {
				continue
			}
			s.kinds[schema.GroupVersionKind{Group: crd.Spec.Group, Version: version.Name, Kind: crd.Spec.Names.Kind}] = kind{
				root:       "/apis/" + crd.Spec.Group + "/" + version.Name,
				plural:     crd.Spec.Names.Plural,
				namespaced: crd.Spec.Scope == apiextensionsv1.NamespaceScoped,
				handler:    handler,
				converter:  converter,
			}
		}
	}
	return nil
}

// readCRD reads a definition as the server would, and accepts it as its
// controllers would.
func readCRD(file string, validate bool) (*apiextensionsv1.CustomResourceDefinition, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := yaml.Unmarshal(data, &tree); err != nil {
		return nil, err
	}
	if !validate {
		versions, _, err := unstructured.NestedSlice(tree, "spec", "versions")
		if err != nil {
			return nil, err
		}
		for _, version := range versions {
			schema, _, _ := unstructured.NestedFieldNoCopy(version.(map[string]any), "schema", "openAPIV3Schema")
			dropRules(schema)
		}
		tree["spec"].(map[string]any)["versions"] = versions
	}
	if data, err = json.Marshal(tree); err != nil {
		return nil, err
	}
	object, err := runtime.Decode(apiextensionsapiserver.Codecs.UniversalDecoder(apiextensionsv1.SchemeGroupVersion), data)
	if err != nil {
		return nil, err
	}
	crd, ok := object.(*apiextensionsv1.CustomResourceDefinition)
	if !ok {
		return nil, fmt.Errorf("is a %T", object)
	}
	crd.UID = types.UID(crd.Name)
	// What conversion webhooks do can't be known here.
	crd.Spec.Conversion = &apiextensionsv1.CustomResourceConversion{Strategy: apiextensionsv1.NoneConverter}
	crd.Status.AcceptedNames = crd.Spec.Names
	for _, condition := range []apiextensionsv1.CustomResourceDefinitionConditionType{
		apiextensionsv1.NamesAccepted, apiextensionsv1.Established,
	} {
		crd.Status.Conditions = append(crd.Status.Conditions, apiextensionsv1.CustomResourceDefinitionCondition{
			Type: condition, Status: apiextensionsv1.ConditionTrue,
		})
	}
	return crd, nil
}

// rules are the keywords that say which values are good. The others say which
// fields there are and how they merge, and int-or-string needs its anyOf.
var rules = []string{
	"required", "enum", "pattern", "x-kubernetes-validations", "oneOf", "allOf", "not",
	"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
	"minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties",
}

// dropRules leaves a schema that a server would still accept: the keys of a
// list stay required.
func dropRules(node any, keys ...any) {
	schema, ok := node.(map[string]any)
	if !ok {
		return
	}
	for _, rule := range rules {
		delete(schema, rule)
	}
	if schema["x-kubernetes-int-or-string"] != true {
		delete(schema, "anyOf")
	}
	if len(keys) > 0 {
		schema["required"] = keys
	}
	if properties, ok := schema["properties"].(map[string]any); ok {
		for _, property := range properties {
			dropRules(property)
		}
	}
	listKeys, _ := schema["x-kubernetes-list-map-keys"].([]any)
	dropRules(schema["items"], listKeys...)
	dropRules(schema["additionalProperties"])
}

// converterOf reads objects as the handler's field manager does, whose own
// converter is out of reach.
func converterOf(
	static map[string]*spec.Schema, crd *apiextensionsv1.CustomResourceDefinition,
) (managedfields.TypeConverter, error) {
	specs := []*spec3.OpenAPI{{Version: "3.0.0", Info: &spec.Info{}, Components: &spec3.Components{Schemas: static}}}
	for _, version := range crd.Spec.Versions {
		s, err := builder.BuildOpenAPIV3(crd, version.Name, builder.Options{})
		if err != nil {
			return nil, err
		}
		specs = append(specs, s)
	}
	merged, err := builder.MergeSpecsV3(specs...)
	if err != nil {
		return nil, err
	}
	return managedfields.NewTypeConverter(merged.Components.Schemas, crd.Spec.PreserveUnknownFields)
}

// informer holds the definitions that were read and never asks for more.
type informer struct{ informer cache.SharedIndexInformer }

func newInformer() informer {
	return informer{cache.NewSharedIndexInformer(&cache.ListWatch{}, &apiextensionsv1.CustomResourceDefinition{}, 0, cache.Indexers{})}
}

func (i informer) Informer() cache.SharedIndexInformer { return i.informer }

func (i informer) Lister() listers.CustomResourceDefinitionLister {
	return listers.NewCustomResourceDefinitionLister(i.informer.GetIndexer())
}
