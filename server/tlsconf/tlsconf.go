// Package tlsconf makes a crypto/tls configuration of files and of names as OpenSSL's users know them.
//
// Contract: Load reads everything that a Source names and either returns a configuration that works or says what is wrong
// in one sentence; it keeps nothing. A Watched holds the configuration in force and looks for newer files when it is asked
// for it; what cannot be read leaves the former in force. Its methods may be called concurrently.
package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Source says where a configuration comes from. The names are those of the tls-* parameters; empty texts are defaults.
type Source struct {
	CertFile, KeyFile, KeyPass                   string
	ClientCertFile, ClientKeyFile, ClientKeyPass string
	CAFile, CADir                                string
	// AuthClients is "yes", "no" or "optional".
	AuthClients string
	// NeedCA asks for certificates of authorities although clients may come without one.
	NeedCA                           bool
	Protocols, Ciphers, CipherSuites string
	NoSessions                       bool
}

// Loaded is what a Source yielded.
type Loaded struct {
	// Server is for connections that come in, Client for those that go out.
	Server, Client *tls.Config
	// Notes are sentences for the log about what was asked for and cannot be had.
	Notes []string

	stamps []stamp
}

// maxFile bounds what is read of one file.
const maxFile = 4 << 20

// Load reads what src names.
func Load(src Source) (*Loaded, error) {
	l := &Loaded{}
	// The files are stamped before they are read: what changes in between is found to have changed later.
	l.stamps = stampsOf(src)
	switch {
	case src.CertFile == "":
		return nil, errors.New("No tls-cert-file configured!") //nolint:staticcheck // Redis's words
	case src.KeyFile == "":
		return nil, errors.New("No tls-key-file configured!") //nolint:staticcheck // Redis's words
	case src.CAFile == "" && src.CADir == "" && (src.AuthClients != "no" || src.NeedCA):
		return nil, errors.New("Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication or tls-auth-clients are enabled!") //nolint:staticcheck // Redis's words
	}
	low, high, err := versions(src.Protocols)
	if err != nil {
		return nil, err
	}
	suites, err := ciphers(src.Ciphers)
	if err != nil {
		return nil, err
	}
	note, err := suites13(src.CipherSuites)
	if err != nil {
		return nil, err
	}
	if note != "" {
		l.Notes = append(l.Notes, note)
	}
	cert, err := pair(src.CertFile, src.KeyFile, src.KeyPass)
	if err != nil {
		return nil, err
	}
	pool, err := authorities(src.CAFile, src.CADir)
	if err != nil {
		return nil, err
	}
	l.Server = &tls.Config{
		Certificates: []tls.Certificate{cert}, ClientCAs: pool, MinVersion: low, MaxVersion: high, CipherSuites: suites,
		SessionTicketsDisabled: src.NoSessions,
	}
	switch src.AuthClients {
	case "no":
	case "optional":
		l.Server.ClientAuth = tls.VerifyClientCertIfGiven
	default:
		l.Server.ClientAuth = tls.RequireAndVerifyClientCert
	}
	l.Client = &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: pool, MinVersion: low, MaxVersion: high, CipherSuites: suites}
	if src.ClientCertFile != "" && src.ClientKeyFile != "" {
		if cert, err = pair(src.ClientCertFile, src.ClientKeyFile, src.ClientKeyPass); err != nil {
			return nil, err
		}
		l.Client.Certificates = []tls.Certificate{cert}
	}
	return l, nil
}

// pair reads a certificate with those that lead from it to an authority, and its key.
func pair(certFile, keyFile, pass string) (tls.Certificate, error) {
	certPEM, err := read(certFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("Failed to load certificate: %s: %w", certFile, err) //nolint:staticcheck // Redis's words
	}
	keyPEM, err := read(keyFile)
	if err == nil {
		keyPEM, err = plainKey(keyPEM, pass)
	}
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("Failed to load private key: %s: %w", keyFile, err) //nolint:staticcheck // Redis's words
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	switch {
	case err == nil:
		return cert, nil
	case strings.Contains(err.Error(), "private key"):
		return cert, fmt.Errorf("Failed to load private key: %s: %w", keyFile, err) //nolint:staticcheck // Redis's words
	}
	return cert, fmt.Errorf("Failed to load certificate: %s: %w", certFile, err) //nolint:staticcheck // Redis's words
}

// authorities reads the certificates of a file and of all files of a directory; nil stands for those of the system.
func authorities(file, dir string) (*x509.CertPool, error) {
	if file == "" && dir == "" {
		return nil, nil
	}
	pool := x509.NewCertPool()
	failed := func(err error) error {
		return fmt.Errorf("Failed to configure CA certificate(s) file/directory: %w", err) //nolint:staticcheck // Redis's words
	}
	if file != "" {
		b, err := read(file)
		if err != nil {
			return nil, failed(err)
		}
		if !pool.AppendCertsFromPEM(b) {
			return nil, failed(fmt.Errorf("%s: no certificate in it", file))
		}
	}
	if dir != "" {
		paths, err := filesOf(dir)
		if err != nil {
			return nil, failed(err)
		}
		for _, path := range paths {
			b, err := read(path)
			if err != nil {
				return nil, failed(err)
			}
			pool.AppendCertsFromPEM(b) // files of other kinds may lie there, too
		}
	}
	return pool, nil
}

// filesOf lists the regular files of a directory.
func filesOf(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if fi, err := os.Stat(path); err == nil && fi.Mode().IsRegular() && fi.Size() <= maxFile {
			paths = append(paths, path)
		}
	}
	return paths, nil
}

// read reads a regular file of a sensible size.
func read(path string) ([]byte, error) {
	fi, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, plain(err)
	case !fi.Mode().IsRegular():
		return nil, errors.New("no regular file")
	case fi.Size() > maxFile:
		return nil, errors.New("too large for a certificate or a key")
	}
	b, err := os.ReadFile(path)
	return b, plain(err)
}

// plain leaves out what the sentence around it says already.
func plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
