// Runs Cluster API Provider OCI's controller and webhooks of OCICluster for the tests.
//
// The reconciler, the webhooks, the OCI clients and the types are those of the
// module. What is here instead of its own main, which can't be told to listen
// on loopback alone: the webhooks are served on a free port of 127.0.0.1 with a
// certificate made at the start, both named on the first line of the output,
// and the process ends with its standard input.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	infrav1beta1 "github.com/oracle/cluster-api-provider-oci/api/v1beta1"
	infrav1beta2 "github.com/oracle/cluster-api-provider-oci/api/v1beta2"
	"github.com/oracle/cluster-api-provider-oci/controllers"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	clusterv1beta1 "sigs.k8s.io/cluster-api/api/core/v1beta1"
	clusterv1beta2 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: capoci-controller KUBECONFIG")
		os.Exit(2)
	}
	ctrl.SetLogger(klog.Background())
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(kubeconfig string) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	// The tests hold the other end: when they are gone, however that came, so are we.
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
		// Reconciles that wait for OCI do not hold it up.
		time.Sleep(2 * time.Second)
		os.Exit(0)
	}()

	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme,
		infrav1beta1.AddToScheme,
		infrav1beta2.AddToScheme,
		clusterv1beta1.AddToScheme,
		clusterv1beta2.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return fmt.Errorf("the scheme: %w", err)
		}
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("the kubeconfig: %w", err)
	}
	// Writes are booked on the program's name, which upstream's image calls so.
	config.UserAgent = "manager/v0.24.0"
	hooks, err := newLoopback()
	if err != nil {
		return fmt.Errorf("the webhooks' server: %w", err)
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:        scheme,
		Metrics:       metricsserver.Options{BindAddress: "0"},
		WebhookServer: hooks,
	})
	if err != nil {
		return fmt.Errorf("the manager: %w", err)
	}
	// Region and client provider stay empty, as the module's own main leaves
	// them under --init-oci-clients-on-startup=false.
	reconciler := controllers.OCIClusterReconciler{
		Client:   mgr.GetClient(),
		Scheme:   mgr.GetScheme(),
		Recorder: mgr.GetEventRecorderFor("ocicluster-controller"),
	}
	if err := reconciler.SetupWithManager(ctx, mgr, controller.Options{MaxConcurrentReconciles: 5}); err != nil {
		return fmt.Errorf("the reconciler: %w", err)
	}
	if err := (&infrav1beta2.OCICluster{}).SetupWebhookWithManager(mgr); err != nil {
		return fmt.Errorf("the webhooks: %w", err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(hooks.endpoint()); err != nil {
		return err
	}
	return mgr.Start(ctx)
}
