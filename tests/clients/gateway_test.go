package clients

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// gateway is what the program under crates/testbed/src/bin/gateway.rs says of itself.
var gateway struct {
	HTTP     string `json:"http"`
	ByName   string `json:"by_name"` // serves api.keptn.example.com and api.keptn alone
	HTTPS    string `json:"https"`
	Token    string `json:"token"`
	EnvoyPID int    `json:"envoy_pid"`
}

func TestMain(m *testing.M) {
	stop, err := startGateway()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// startGateway returns what stops the gateway and tells whether it ended as it should.
func startGateway() (func() error, error) {
	program := os.Getenv("TESTBED_GATEWAY")
	if program == "" {
		return nil, errors.New("TESTBED_GATEWAY is not set: it names the program that these tests start. " +
			"`./build.sh test clients` builds it and sets it")
	}
	directory, err := os.MkdirTemp("", "clients-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(directory)
	certificate, key := filepath.Join(directory, "certificate.pem"), filepath.Join(directory, "key.pem")
	if err := selfSigned(certificate, key); err != nil {
		return nil, err
	}

	command := exec.Command(program, certificate, key)
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("starting TESTBED_GATEWAY=%s: %w", program, err)
	}
	line, err := bufio.NewReader(output).ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("%s has ended with %v before it served: see above", program, command.Wait())
	}
	if err := json.Unmarshal(line, &gateway); err != nil {
		return nil, fmt.Errorf("%s printed %q: %w", program, line, err)
	}
	go io.Copy(io.Discard, output)

	return func() error {
		input.Close()
		if err := command.Wait(); err != nil {
			return fmt.Errorf("%s: %w", program, err)
		}
		if err := syscall.Kill(gateway.EnvoyPID, 0); !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("%s has left its Envoy behind, process %d", program, gateway.EnvoyPID)
		}
		return nil
	}, nil
}

// selfSigned makes a certificate such as Keptn's installer makes: for no name that a client asks for.
func selfSigned(certificateFile, keyFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "keptn.example.com"},
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	for file, block := range map[string]*pem.Block{
		certificateFile: {Type: "CERTIFICATE", Bytes: certificate},
		keyFile:         {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	return nil
}
