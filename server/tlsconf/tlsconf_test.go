package tlsconf

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/certs"
)

// files are an authority and what it signed, in a directory of the test.
func files(t *testing.T) (a *certs.Authority, src Source) {
	t.Helper()
	a, err := certs.New("authority")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	src = Source{AuthClients: "yes", CAFile: filepath.Join(dir, "ca.crt")}
	src.CertFile, src.KeyFile = sign(t, a, dir, "server")
	if err := os.WriteFile(src.CAFile, a.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return a, src
}

func sign(t *testing.T, a *certs.Authority, dir, name string) (cert, key string) {
	t.Helper()
	p, err := a.Sign(name)
	if err == nil {
		cert, key, err = p.Write(dir, name)
	}
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func TestLoad(t *testing.T) {
	a, good := files(t)
	dir := filepath.Dir(good.CertFile)
	otherCert, otherKey := sign(t, a, dir, "other")
	empty, folder := filepath.Join(dir, "empty"), filepath.Join(dir, "folder")
	if os.WriteFile(empty, nil, 0o600) != nil || os.Mkdir(folder, 0o700) != nil {
		t.Fatal("no files")
	}
	const noCA = "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication or tls-auth-clients are enabled!"
	for _, c := range []struct {
		name  string
		edit  func(s *Source)
		fails string // a part of the error
		check func(l *Loaded) bool
	}{
		{"all", func(*Source) {}, "", func(l *Loaded) bool {
			return l.Server.ClientAuth == tls.RequireAndVerifyClientCert && l.Server.MinVersion == tls.VersionTLS12
		}},
		{"optional", func(s *Source) { s.AuthClients = "optional" }, "", func(l *Loaded) bool { return l.Server.ClientAuth == tls.VerifyClientCertIfGiven }},
		{"nobody is asked", func(s *Source) { s.AuthClients, s.CAFile = "no", "" }, "", func(l *Loaded) bool { return l.Server.ClientAuth == tls.NoClientCert }},
		{"a directory of authorities", func(s *Source) { s.CADir, s.CAFile = dir, "" }, "", func(l *Loaded) bool { return l.Server.ClientCAs != nil }},
		{"a client's own", func(s *Source) { s.ClientCertFile, s.ClientKeyFile = otherCert, otherKey }, "", func(l *Loaded) bool {
			return !slices.Equal(l.Client.Certificates[0].Certificate[0], l.Server.Certificates[0].Certificate[0])
		}},
		{"no sessions", func(s *Source) { s.NoSessions = true }, "", func(l *Loaded) bool { return l.Server.SessionTicketsDisabled }},
		{"a suite of 1.3 alone", func(s *Source) { s.CipherSuites = "TLS_AES_256_GCM_SHA384" }, "", func(l *Loaded) bool { return len(l.Notes) == 1 }},
		{"no certificate", func(s *Source) { s.CertFile = "" }, "No tls-cert-file configured!", nil},
		{"no key", func(s *Source) { s.KeyFile = "" }, "No tls-key-file configured!", nil},
		{"no authority", func(s *Source) { s.CAFile = "" }, noCA, nil},
		{"no authority for a cluster", func(s *Source) { s.CAFile, s.AuthClients, s.NeedCA = "", "no", true }, noCA, nil},
		{"missing", func(s *Source) { s.CertFile = "/nosuch" }, "Failed to load certificate: /nosuch: no such file or directory", nil},
		{"missing key", func(s *Source) { s.KeyFile = "/nosuch" }, "Failed to load private key: /nosuch: no such file or directory", nil},
		{"another's key", func(s *Source) { s.KeyFile = otherKey }, "Failed to load private key: " + otherKey + ": tls: private key does not match public key", nil},
		{"nothing in it", func(s *Source) { s.CertFile = empty }, "Failed to load certificate: " + empty, nil},
		{"no key in it", func(s *Source) { s.KeyFile = s.CertFile }, "no private key in it", nil},
		{"a directory", func(s *Source) { s.CertFile = folder }, "no regular file", nil},
		{"an authority without a certificate", func(s *Source) { s.CAFile = empty }, "Failed to configure CA certificate(s) file/directory: " + empty, nil},
		{"an authority that is missing", func(s *Source) { s.CAFile = "/nosuch" }, "Failed to configure CA certificate(s) file/directory: no such file", nil},
		{"versions", func(s *Source) { s.Protocols = "TLSv9" }, "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'.", nil},
		{"suites", func(s *Source) { s.Ciphers = "NOSUCH" }, "Failed to configure ciphers: NOSUCH", nil},
		{"suites of 1.3", func(s *Source) { s.CipherSuites = "NOSUCH" }, "Failed to configure ciphersuites: NOSUCH", nil},
		{"an encrypted key", func(s *Source) { s.KeyFile = "testdata/pkcs8-aes256.pem" }, "tls-key-file-pass is not set", nil},
	} {
		src := good
		c.edit(&src)
		l, err := Load(src)
		switch {
		case c.fails == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.fails == "" && !c.check(l):
			t.Errorf("%s: %+v", c.name, l)
		case c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)):
			t.Errorf("%s: %v, want %s", c.name, err, c.fails)
		}
	}
}

func TestVersions(t *testing.T) {
	for _, c := range []struct {
		list      string
		low, high uint16
	}{
		{"", tls.VersionTLS12, tls.VersionTLS13},
		{"TLSv1.2", tls.VersionTLS12, tls.VersionTLS12},
		{"tlsv1.3", tls.VersionTLS13, tls.VersionTLS13},
		{"TLSv1.3 TLSv1.2", tls.VersionTLS12, tls.VersionTLS13},
		{"TLSv1 TLSv1.1 TLSv1.2 TLSv1.3", tls.VersionTLS10, tls.VersionTLS13},
		{"TLSv1 TLSv1.2", 0, 0},
		{"TLSv1.2 SSLv3", 0, 0},
	} {
		low, high, err := versions(c.list)
		if low != c.low || high != c.high || (err != nil) != (c.low == 0) {
			t.Errorf("%q: %x %x %v", c.list, low, high, err)
		}
	}
}

func TestCiphers(t *testing.T) {
	gcm128, gcm256 := tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
	for _, c := range []struct {
		list     string
		ok       bool
		has, not []uint16
	}{
		{"", true, nil, nil},
		{"ECDHE-RSA-AES128-GCM-SHA256", true, []uint16{gcm128}, []uint16{gcm256}},
		{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,ECDHE-RSA-AES256-GCM-SHA384", true, []uint16{gcm128, gcm256}, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}},
		{"DEFAULT:!MEDIUM", true, []uint16{gcm128, gcm256}, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}},
		{"HIGH:!aNULL:!MD5:!SHA1", true, []uint16{gcm128, tls.TLS_RSA_WITH_AES_128_GCM_SHA256}, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}},
		{"!AES128:ALL", true, []uint16{gcm256}, []uint16{gcm128}},
		{"ALL:-AES128:AES128-SHA", true, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}, []uint16{gcm128}},
		{"EECDH+AESGCM:@STRENGTH", true, []uint16{gcm128, gcm256}, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}},
		{"DHE-RSA-AES256-SHA:ECDHE-RSA-AES128-GCM-SHA256", true, []uint16{gcm128}, nil},
		{"ALL:!ALL", false, nil, nil},
		{"RC4", false, nil, nil},
		{"ECDHE-RSA-AES128-GCM-SHA256:NOSUCH", false, nil, nil},
		{":::", false, nil, nil},
		{"!", false, nil, nil},
	} {
		ids, err := ciphers(c.list)
		if (err == nil) != c.ok {
			t.Errorf("%q: %v", c.list, err)
		}
		for _, id := range c.has {
			if !slices.Contains(ids, id) {
				t.Errorf("%q: %s is missing", c.list, tls.CipherSuiteName(id))
			}
		}
		for _, id := range c.not {
			if slices.Contains(ids, id) {
				t.Errorf("%q: %s is there", c.list, tls.CipherSuiteName(id))
			}
		}
	}
	// Every suite of the table is one that crypto/tls has, and their names are OpenSSL's for it.
	for _, s := range suites {
		if strings.HasPrefix(tls.CipherSuiteName(s.id), "0x") {
			t.Errorf("%s: unknown", s.name)
		}
	}
}

// TestKeys reads keys that openssl has encrypted.
func TestKeys(t *testing.T) {
	for _, c := range []struct{ name, pass, fails string }{
		{"pkcs8-aes256.pem", "sesame", ""},
		{"pkcs8-3des.pem", "sesame", ""},
		{"old-aes128.pem", "sesame", ""},
		{"pkcs8-aes256.pem", "wrong", "cannot be decrypted"},
		{"old-aes128.pem", "wrong", "cannot be decrypted"},
		{"old-aes128.pem", "", "tls-key-file-pass is not set"},
		{"pkcs8-scrypt.pem", "sesame", "unsupported derivation"},
	} {
		text, err := os.ReadFile(filepath.Join("testdata", c.name))
		if err != nil {
			t.Fatal(err)
		}
		key, err := plainKey(text, c.pass)
		switch {
		case c.fails == "" && (err != nil || !strings.Contains(string(key), "PRIVATE KEY") || strings.Contains(string(key), "ENCRYPTED")):
			t.Errorf("%s: %v", c.name, err)
		case c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)):
			t.Errorf("%s with %q: %v", c.name, c.pass, err)
		}
	}
}

// FuzzKeys: a file of any content yields a key or an error.
func FuzzKeys(f *testing.F) {
	paths, _ := filepath.Glob("testdata/*.pem")
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, "sesame")
	}
	f.Fuzz(func(t *testing.T, text []byte, pass string) {
		if key, err := plainKey(text, pass); err == nil && len(key) == 0 {
			t.Error("neither a key nor an error")
		}
	})
}

// TestWatched changes files behind the back of a configuration.
func TestWatched(t *testing.T) {
	a, src := files(t)
	now := time.Hour
	var news []error
	w := NewWatched(func() time.Duration { return now })
	w.Reloaded = func(_ *Loaded, err error) { news = append(news, err) }
	if _, err := w.Server(); err == nil {
		t.Error("a configuration out of nothing")
	}
	if _, err := w.Set(src); err != nil {
		t.Fatal(err)
	}
	serial := func() string {
		c, err := w.Server()
		if err != nil {
			t.Fatal(err)
		}
		return c.Certificates[0].Leaf.SerialNumber.String()
	}
	first := serial()
	dir := filepath.Dir(src.CertFile)
	later := time.Now().Add(time.Minute)
	touch := func(path string) {
		later = later.Add(time.Minute)
		if err := os.Chtimes(path, later, later); err != nil {
			t.Fatal(err)
		}
	}
	sign(t, a, dir, "server")
	touch(src.CertFile)
	if serial() != first {
		t.Error("looked at the files twice within a second")
	}
	now += lookEvery
	second := serial()
	if second == first || len(news) != 1 || news[0] != nil {
		t.Fatalf("not read again: %s, %v", second, news)
	}
	// A file that is half written does no harm, and is complained about once.
	if err := os.WriteFile(src.CertFile, []byte("-----BEGIN CERT"), 0o600); err != nil {
		t.Fatal(err)
	}
	touch(src.CertFile)
	for range 3 {
		now += lookEvery
		if serial() != second {
			t.Error("the former configuration is gone")
		}
	}
	if len(news) != 2 || news[1] == nil {
		t.Errorf("told %v", news)
	}
	bad := src
	bad.CertFile = "/nosuch"
	if _, err := w.Set(bad); err == nil || serial() != second {
		t.Errorf("%v", err)
	}
	sign(t, a, dir, "server")
	touch(src.CertFile)
	now += lookEvery
	if third := serial(); third == second || third == first {
		t.Error("not read again after a mistake")
	}
}
