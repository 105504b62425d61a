package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime/debug"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"
	"k8s.io/client-go/tools/cache"
)

// kind is what the oracle knows of one kind it serves.
type kind struct {
	// Path of the kind's group and version, such as /apis/apps/v1.
	root       string
	plural     string
	namespaced bool
	handler    http.Handler
	converter  managedfields.TypeConverter
}

// allowed stands for rights that are not in question here.
var allowed = authorizerfactory.NewAlwaysAllowAuthorizer()

type server struct {
	kinds map[schema.GroupVersionKind]kind
	paths apirequest.RequestInfoFactory
}

func newServer(crdFiles []string, validate bool) (*server, error) {
	s := &server{
		kinds: map[schema.GroupVersionKind]kind{},
		paths: apirequest.RequestInfoFactory{
			APIPrefixes:          sets.NewString("api", "apis"),
			GrouplessAPIPrefixes: sets.NewString("api"),
		},
	}
	if err := s.addCoreKinds(validate); err != nil {
		return nil, err
	}
	if err := s.addCustomKinds(crdFiles, validate); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *server) answer(line []byte) (a answer) {
	defer func() {
		if r := recover(); r != nil {
			a = failed("panic: %v\n%s", r, debug.Stack())
		}
	}()
	var req request
	if err := json.Unmarshal(line, &req); err != nil {
		return failed("request: %v", err)
	}
	switch req.Op {
	case "apply", "update":
		return s.write(req)
	case "toSet":
		return s.toSet(req)
	case "compare":
		return s.compare(req)
	default:
		return failed("request: unknown op %q", req.Op)
	}
}

// write sends the HTTP request that a client would, as a dry run: that is all
// of the server's way but the last step, and needs no more of a storage than
// reading.
func (s *server) write(req request) answer {
	config, err := parseDocument(req.Config)
	if err != nil {
		return failed("config: %v", err)
	}
	var live *document
	if len(req.Live) > 0 && !bytes.Equal(req.Live, []byte("null")) {
		if live, err = parseDocument(req.Live); err != nil {
			return failed("live: %v", err)
		}
	}
	k, err := s.kindOf(schema.FromAPIVersionAndKind(config.APIVersion, config.Kind))
	if err != nil {
		return failed("config: %v", err)
	}

	query := url.Values{
		"dryRun":          {"All"},
		"fieldManager":    {req.Manager},
		"fieldValidation": {"Ignore"},
	}
	call := call{kind: k, name: config.text("name"), namespace: config.text("namespace"), subresource: req.Subresource}
	var contentType string
	switch {
	case req.Op == "apply":
		call.method = http.MethodPatch
		contentType = "application/apply-patch+yaml"
		query.Set("force", strconv.FormatBool(req.Force))
	case live == nil:
		call.method = http.MethodPost
		call.name = ""
		contentType = "application/json"
	default:
		call.method = http.MethodPut
		contentType = "application/json"
	}
	call.query = query.Encode()
	call.header = http.Header{"Content-Type": {contentType}, "Accept": {"application/json"}}

	filled := complete(live, config, req.Op)
	code, body, shift, err := atTime(req.Now, live, config, func(live, config []byte) (int, []byte) {
		return s.send(call, live, config)
	})
	if err != nil {
		return failed("%v", err)
	}
	if code >= 300 {
		var status metav1.Status
		if err := json.Unmarshal(body, &status); err != nil {
			return failed("status %d: %s", code, body)
		}
		return refused(status)
	}
	object, err := finish(body, shift, live == nil, filled)
	if err != nil {
		return failed("result: %v", err)
	}
	return answer{Object: object}
}

func (s *server) kindOf(gvk schema.GroupVersionKind) (kind, error) {
	k, ok := s.kinds[gvk]
	if !ok {
		return kind{}, fmt.Errorf("unknown kind %s", gvk)
	}
	return k, nil
}

type call struct {
	kind                         kind
	method                       string
	namespace, name, subresource string
	query                        string
	header                       http.Header
}

func (s *server) send(c call, live, body []byte) (int, []byte) {
	path := c.kind.root
	if c.kind.namespaced {
		path += "/namespaces/" + c.namespace
	}
	path += "/" + c.kind.plural
	if c.name != "" {
		path += "/" + c.name
	}
	if c.subresource != "" {
		path += "/" + c.subresource
	}
	r := &http.Request{
		Method:        c.method,
		URL:           &url.URL{Path: path, RawQuery: c.query},
		Header:        c.header,
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
	}
	// The handlers write into an audit record without asking if there is one.
	r = r.WithContext(audit.WithAuditContext(context.WithValue(context.Background(), liveKey{}, live)))
	info, err := s.paths.NewRequestInfo(r)
	if err != nil {
		return http.StatusBadRequest, []byte(err.Error())
	}
	r = r.WithContext(apirequest.WithRequestInfo(r.Context(), info))
	w := httptest.NewRecorder()
	c.kind.handler.ServeHTTP(w, r)
	return w.Code, w.Body.Bytes()
}

type liveKey struct{}

// borrowed is a storage that holds just the live object of the request at hand.
// A dry run only ever reads; any other call is a nil pointer and is heard of.
type borrowed struct {
	storage.Interface
	codec runtime.Codec
}

func (b borrowed) Versioner() storage.Versioner { return storage.APIObjectVersioner{} }

func (b borrowed) Get(ctx context.Context, key string, opts storage.GetOptions, into runtime.Object) error {
	live, _ := ctx.Value(liveKey{}).([]byte)
	if live == nil {
		if opts.IgnoreNotFound {
			return runtime.SetZeroValue(into)
		}
		return storage.NewKeyNotFoundError(key, 0)
	}
	_, _, err := b.codec.Decode(live, nil, into)
	return err
}

// borrowedStorage gives a registry that storage, with objects kept by codec.
type borrowedStorage struct {
	codec     runtime.Codec
	versioner runtime.GroupVersioner
}

// GetRESTOptions answers with a new configuration each time, because the
// handler of custom resources puts a codec of its own into what it gets.
func (b borrowedStorage) GetRESTOptions(schema.GroupResource, runtime.Object) (generic.RESTOptions, error) {
	return generic.RESTOptions{
		StorageConfig: &storagebackend.ConfigForResource{
			Config: storagebackend.Config{Codec: b.codec, EncodeVersioner: b.versioner},
		},
		ResourcePrefix: "borrowed",
		Decorator: func(config *storagebackend.ConfigForResource, _ string, _ func(runtime.Object) (string, error),
			_, _ func() runtime.Object, _ storage.AttrFunc, _ storage.IndexerFuncs, _ *cache.Indexers,
		) (storage.Interface, factory.DestroyFunc, error) {
			return borrowed{codec: config.Codec}, func() {}, nil
		},
	}, nil
}
