package main

import (
	"context"
	"net"

	"github.com/emicklei/go-restful/v3"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsapiserver "k8s.io/apiextensions-apiserver/pkg/apiserver"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/endpoints"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	"k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	serverstorage "k8s.io/apiserver/pkg/server/storage"
	"k8s.io/apiserver/pkg/util/openapi"
	aggregatorscheme "k8s.io/kube-aggregator/pkg/apiserver/scheme"
	openapibuilder "k8s.io/kube-openapi/pkg/builder3"
	openapiutil "k8s.io/kube-openapi/pkg/util"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	api "k8s.io/kubernetes/pkg/apis/core"
	generatedopenapi "k8s.io/kubernetes/pkg/generated/openapi"
	deploymentstore "k8s.io/kubernetes/pkg/registry/apps/deployment/storage"
	configmapstore "k8s.io/kubernetes/pkg/registry/core/configmap/storage"
	namespacestore "k8s.io/kubernetes/pkg/registry/core/namespace/storage"
	secretstore "k8s.io/kubernetes/pkg/registry/core/secret/storage"
	"k8s.io/kubernetes/pkg/registry/core/service/ipallocator"
	"k8s.io/kubernetes/pkg/registry/core/service/portallocator"
	servicestore "k8s.io/kubernetes/pkg/registry/core/service/storage"
)

// addCoreKinds serves Kubernetes' own kinds by the server's own registries,
// whose defaults and resets are code and stand in no schema.
func (s *server) addCoreKinds(validate bool) error {
	core, err := storedAs(corev1.SchemeGroupVersion)
	if err != nil {
		return err
	}
	apps, err := storedAs(appsv1.SchemeGroupVersion)
	if err != nil {
		return err
	}
	configMaps, err := configmapstore.NewREST(core)
	if err != nil {
		return err
	}
	secrets, err := secretstore.NewREST(core)
	if err != nil {
		return err
	}
	namespaces, namespaceStatus, _, err := namespacestore.NewREST(core)
	if err != nil {
		return err
	}
	services, serviceStatus, err := newServices(core)
	if err != nil {
		return err
	}
	deployments, err := deploymentstore.NewStorage(apps)
	if err != nil {
		return err
	}
	if !validate {
		for _, store := range []*registry.Store{configMaps.Store, secrets.Store, services.Store, deployments.Deployment.Store} {
			store.CreateStrategy = creationUnchecked{store.CreateStrategy}
			store.UpdateStrategy = updateUnchecked{store.UpdateStrategy}
		}
	}
	if err := s.install("/api", corev1.SchemeGroupVersion, map[string]rest.Storage{
		"configmaps":        configMaps,
		"secrets":           secrets,
		"namespaces":        namespaces,
		"namespaces/status": namespaceStatus,
		"services":          services,
		"services/status":   serviceStatus,
	}, map[string]runtime.Object{
		"configmaps": &corev1.ConfigMap{},
		"secrets":    &corev1.Secret{},
		"namespaces": &corev1.Namespace{},
		"services":   &corev1.Service{},
	}); err != nil {
		return err
	}
	return s.install("/apis", appsv1.SchemeGroupVersion, map[string]rest.Storage{
		"deployments":        deployments.Deployment,
		"deployments/status": deployments.Status,
	}, map[string]runtime.Object{
		"deployments": &appsv1.Deployment{},
	})
}

// storedAs keeps objects as etcd has them: in protobuf, which knows no empty map
// and no empty list.
func storedAs(version schema.GroupVersion) (borrowedStorage, error) {
	codec, versioner, err := serverstorage.NewStorageCodec(serverstorage.StorageCodecConfig{
		StorageMediaType:  runtime.ContentTypeProtobuf,
		StorageSerializer: legacyscheme.Codecs,
		StorageVersion:    version,
		MemoryVersion:     schema.GroupVersion{Group: version.Group, Version: runtime.APIVersionInternal},
	})
	return borrowedStorage{codec, versioner}, err
}

// newServices hands out addresses from a range of its own; in a dry run that is
// always the first.
func newServices(storage borrowedStorage) (*servicestore.REST, *servicestore.StatusREST, error) {
	ips, err := ipallocator.NewInMemory(&net.IPNet{IP: net.IPv4(10, 0, 0, 0), Mask: net.CIDRMask(24, 32)})
	if err != nil {
		return nil, nil, err
	}
	ports, err := portallocator.NewInMemory(utilnet.PortRange{Base: 30000, Size: 2768})
	if err != nil {
		return nil, nil, err
	}
	services, status, _, err := servicestore.NewREST(storage, api.IPv4Protocol,
		map[api.IPFamily]ipallocator.Interface{api.IPv4Protocol: ips}, ports, nil, nil, nil)
	return services, status, err
}

func (s *server) install(
	prefix string, version schema.GroupVersion, storages map[string]rest.Storage, kinds map[string]runtime.Object,
) error {
	var names []string
	for _, object := range kinds {
		names = append(names, openapiutil.GetCanonicalTypeName(object))
	}
	models, err := models(names...)
	if err != nil {
		return err
	}
	converter, err := managedfields.NewTypeConverter(models, false)
	if err != nil {
		return err
	}
	scheme := legacyscheme.Scheme
	group := endpoints.APIGroupVersion{
		Root:                       prefix,
		GroupVersion:               version,
		Storage:                    storages,
		Serializer:                 legacyscheme.Codecs,
		ParameterCodec:             legacyscheme.ParameterCodec,
		Creater:                    scheme,
		Convertor:                  scheme,
		ConvertabilityChecker:      scheme,
		UnsafeConvertor:            runtime.UnsafeObjectConvertor(scheme),
		Defaulter:                  scheme,
		Typer:                      scheme,
		Namer:                      runtime.Namer(meta.NewAccessor()),
		TypeConverter:              converter,
		Authorizer:                 allowed,
		EquivalentResourceRegistry: runtime.NewEquivalentResourceRegistry(),
	}
	container := restful.NewContainer()
	container.Router(restful.CurlyRouter{})
	if _, _, err := group.InstallREST(container); err != nil {
		return err
	}
	root := prefix + "/" + version.Version
	if version.Group != "" {
		root = prefix + "/" + version.Group + "/" + version.Version
	}
	for plural, object := range kinds {
		gvks, _, err := scheme.ObjectKinds(object)
		if err != nil {
			return err
		}
		s.kinds[gvks[0]] = kind{
			root:       root,
			plural:     plural,
			namespaced: storages[plural].(rest.Scoper).NamespaceScoped(),
			handler:    container,
			converter:  converter,
		}
	}
	return nil
}

// models are the schemas of some types as kube-apiserver publishes them.
func models(names ...string) (map[string]*spec.Schema, error) {
	definitions := openapi.GetOpenAPIDefinitionsWithoutDisabledFeatures(generatedopenapi.GetOpenAPIDefinitions)
	namer := openapinamer.NewDefinitionNamer(legacyscheme.Scheme, apiextensionsapiserver.Scheme, aggregatorscheme.Scheme)
	return openapibuilder.BuildOpenAPIDefinitionsForResources(
		genericapiserver.DefaultOpenAPIV3Config(definitions, namer), names...)
}

type creationUnchecked struct{ rest.RESTCreateStrategy }

func (creationUnchecked) Validate(context.Context, runtime.Object) field.ErrorList { return nil }

type updateUnchecked struct{ rest.RESTUpdateStrategy }

func (updateUnchecked) ValidateUpdate(_ context.Context, _, _ runtime.Object) field.ErrorList {
	return nil
}
