// ssa-oracle answers what a kube-apiserver would store: one JSON request a line
// on stdin, one JSON answer a line on stdout, in order.
//
// It is kube-apiserver's own request handling (decoding, field management,
// defaulting, registry strategies, the round trip through the storage codec),
// with etcd replaced by the object that the request brings along. So nothing of
// the merge is written here a second time.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
)

type files []string

func (f *files) String() string     { return strings.Join(*f, ",") }
func (f *files) Set(v string) error { *f = append(*f, v); return nil }

func main() {
	var crds files
	flag.Var(&crds, "crd", "CustomResourceDefinition (v1, YAML or JSON) to serve; may be given again")
	validate := flag.Bool("validate", false,
		"also reject what the schema's rules forbid; without it only types are checked, so that made-up objects get an answer")
	flag.Parse()
	// They would log what is answered anyway, and sleep between two errors.
	utilruntime.ErrorHandlers = nil

	// Short-lived garbage is most of the work here.
	debug.SetGCPercent(800)

	s, err := newServer(crds, *validate)
	if err == nil {
		err = serve(s, os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "ssa-oracle:", err)
		os.Exit(1)
	}
}

// serve answers on all processors at once and writes in the order of asking.
func serve(s *server, in io.Reader, out io.Writer) error {
	queue := make(chan chan []byte, 2*runtime.GOMAXPROCS(0))
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	var readErr error
	go func() {
		defer close(queue)
		r := bufio.NewReaderSize(in, 1<<20)
		for {
			line, err := r.ReadBytes('\n')
			if len(bytes.TrimSpace(line)) > 0 {
				done := make(chan []byte, 1)
				queue <- done
				slots <- struct{}{}
				go func() {
					done <- encode(s.answer(line))
					<-slots
				}()
			}
			if err != nil {
				if err != io.EOF {
					readErr = err
				}
				return
			}
		}
	}()
	for done := range queue {
		if _, err := out.Write(<-done); err != nil {
			return err
		}
	}
	return readErr
}

func encode(a answer) []byte {
	b, err := json.Marshal(a)
	if err != nil {
		b, _ = json.Marshal(answer{Error: "encoding the answer: " + err.Error()})
	}
	return append(b, '\n')
}
