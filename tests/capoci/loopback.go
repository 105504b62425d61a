package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/webhook"
)

// loopback is a webhook server on a free port of 127.0.0.1, under a certificate
// of its own making. Webhooks are registered with the usual server, which is
// never started.
type loopback struct {
	webhook.Server
	listener net.Listener
	der      []byte
	key      *ecdsa.PrivateKey
}

// endpoint is what a webhook's clientConfig needs.
type endpoint struct {
	URL      string `json:"url"`
	CABundle []byte `json:"caBundle"`
}

func newLoopback() (*loopback, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &loopback{Server: webhook.NewServer(webhook.Options{}), listener: listener, der: der, key: key}, nil
}

func (l *loopback) endpoint() endpoint {
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: l.der})
	return endpoint{URL: "https://" + l.listener.Addr().String(), CABundle: certificate}
}

// Start serves until the context ends.
func (l *loopback) Start(ctx context.Context) error {
	server := http.Server{
		Handler:           l.WebhookMux(),
		ReadHeaderTimeout: 30 * time.Second,
		TLSConfig: &tls.Config{
			MinVersion:   tls.VersionTLS12,
			Certificates: []tls.Certificate{{Certificate: [][]byte{l.der}, PrivateKey: l.key}},
		},
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.ServeTLS(l.listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
