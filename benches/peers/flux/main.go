// Flux's apply engine, without Flux, over a directory of manifests: what kustomize-controller does with what it has built.
//
//	flux-engine apply|diff DIRECTORY [CONCURRENCY]
//
// KUBECONFIG names the server. `apply` is what a reconciliation does, whether or not anything changed; `diff` is a preview.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/fluxcd/pkg/ssa"
	"github.com/fluxcd/pkg/ssa/normalize"
	"github.com/fluxcd/pkg/ssa/utils"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "flux-engine:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("usage: flux-engine apply|diff DIRECTORY [CONCURRENCY]")
	}
	concurrency := 8
	if len(args) > 2 {
		n, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		concurrency = n
	}
	manager, err := connect(concurrency)
	if err != nil {
		return err
	}
	objects, err := read(args[1])
	if err != nil {
		return err
	}
	began := time.Now()
	counts := map[ssa.Action]int{}
	switch args[0] {
	case "apply":
		err = apply(manager, objects, counts)
	case "diff":
		err = diff(manager, objects, counts)
	default:
		err = fmt.Errorf("unknown mode %q", args[0])
	}
	fmt.Println(len(objects), "objects", counts, "engine alone:", time.Since(began).Round(time.Millisecond))
	return err
}

// connect lifts the client's rate limit, which Flux sets far lower than a benchmark wants.
func connect(concurrency int) (*ssa.ResourceManager, error) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 5000, 5000
	transport, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	mapper, err := apiutil.NewDynamicRESTMapper(config, transport)
	if err != nil {
		return nil, err
	}
	kube, err := client.New(config, client.Options{HTTPClient: transport, Mapper: mapper})
	if err != nil {
		return nil, err
	}
	manager := ssa.NewResourceManager(kube, nil, ssa.Owner{Field: "flux-engine", Group: "flux-engine.invalid"})
	manager.SetConcurrency(concurrency)
	return manager, nil
}

func read(directory string) ([]*unstructured.Unstructured, error) {
	// Glob sorts.
	files, err := filepath.Glob(filepath.Join(directory, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		more, err := utils.ReadObjects(file)
		file.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		objects = append(objects, more...)
	}
	return objects, normalize.UnstructuredList(objects)
}

// apply goes in two stages, as Flux does: what others live in, and then the others.
func apply(manager *ssa.ResourceManager, objects []*unstructured.Unstructured, counts map[ssa.Action]int) error {
	var first, second []*unstructured.Unstructured
	for _, object := range objects {
		if utils.IsNamespace(object) {
			first = append(first, object)
		} else {
			second = append(second, object)
		}
	}
	for _, stage := range [][]*unstructured.Unstructured{first, second} {
		changes, err := manager.ApplyAll(context.Background(), stage, ssa.DefaultApplyOptions())
		if err != nil {
			return err
		}
		for _, entry := range changes.Entries {
			counts[entry.Action]++
		}
	}
	return nil
}

func diff(manager *ssa.ResourceManager, objects []*unstructured.Unstructured, counts map[ssa.Action]int) error {
	for _, object := range objects {
		entry, _, _, err := manager.Diff(context.Background(), object, ssa.DefaultDiffOptions())
		if err != nil {
			return err
		}
		counts[entry.Action]++
	}
	return nil
}
