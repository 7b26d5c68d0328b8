package server

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/certs"
)

// tlsFiles are an authority, and the settings that name it and a certificate for the server.
type tlsFiles struct {
	t         testing.TB
	dir       string
	authority *certs.Authority
	settings  settings
}

func newTLSFiles(t testing.TB) *tlsFiles {
	t.Helper()
	a, err := certs.New("authority")
	if err != nil {
		t.Fatal(err)
	}
	f := &tlsFiles{t: t, dir: t.TempDir(), authority: a}
	ca := filepath.Join(f.dir, "ca.crt")
	if err := os.WriteFile(ca, a.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	cert, key := f.write("server")
	f.settings = settings{"tls-cert-file", cert, "tls-key-file", key, "tls-ca-cert-file", ca}
	return f
}

func (f *tlsFiles) sign(name string) certs.Pair {
	f.t.Helper()
	p, err := f.authority.Sign(name)
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

func (f *tlsFiles) write(name string) (cert, key string) {
	f.t.Helper()
	cert, key, err := f.sign(name).Write(f.dir, name)
	if err != nil {
		f.t.Fatal(err)
	}
	return cert, key
}

// open opens a server with a TLS port beside the plain one.
func (f *tlsFiles) open(o Options, s ...string) *Server {
	f.t.Helper()
	o.Addr, o.TLSAddr = "127.0.0.1:0", "127.0.0.1:0"
	return openWith(f.t, o, append(append(settings(nil), f.settings...), s...)...)
}

// config is a client's, with a certificate if it is to have one.
func (f *tlsFiles) config(withCert bool) *tls.Config {
	f.t.Helper()
	c := &tls.Config{RootCAs: f.authority.Pool(), ServerName: "localhost"}
	if withCert {
		cert, err := f.sign("client").TLS()
		if err != nil {
			f.t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c
}

// dial does a handshake.
func (f *tlsFiles) dial(srv *Server) *client {
	f.t.Helper()
	c, err := (&tls.Dialer{NetDialer: &net.Dialer{Timeout: patience}, Config: f.config(true)}).Dial("tcp", srv.TLSAddr())
	if err != nil {
		f.t.Fatal(err)
	}
	return newClient(f.t, c)
}

// TestTLS has encrypted clients do what all clients do.
func TestTLS(t *testing.T) {
	f := newTLSFiles(t)
	srv := f.open(Options{})
	plain, c := dial(t, srv), f.dial(srv)
	c.want("PING", pong)
	_, port, _ := net.SplitHostPort(srv.TLSAddr())
	for _, line := range []string{"CLIENT INFO", "CLIENT LIST"} {
		if got := c.do(line); !strings.Contains(got, " laddr=127.0.0.1:"+port+" ") || !strings.Contains(got, " addr="+c.LocalAddr().String()+" ") {
			t.Errorf("%s: %q", line, got)
		}
	}
	big := strings.Repeat("0123456789abcdef", 1<<16)
	if got := c.doArgs("SET", "big", big); got != "+OK\r\n" {
		t.Fatal(got)
	}
	const n = 20
	c.send(strings.Repeat(requests("GET big"), n) + requests("ECHO end"))
	for range n {
		if got := c.read(); got != bulk(big) {
			t.Fatalf("%d bytes", len(got))
		}
	}
	if got := c.read(); got != bulk("end") {
		t.Fatalf("%.100q", got)
	}
	c.send(requests("BLPOP q 0"))
	plain.want("RPUSH q x", ":1\r\n")
	if got := c.read(); got != "*2\r\n$1\r\nq\r\n$1\r\nx\r\n" {
		t.Errorf("BLPOP = %q", got)
	}
	c.send(requests("SUBSCRIBE ch"))
	c.read()
	plain.want("PUBLISH ch m", ":1\r\n")
	if got := c.read(); got != "*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$1\r\nm\r\n" {
		t.Errorf("got %q", got)
	}
	// The replies to what was sent before the end of a half.
	half := f.dial(srv)
	half.send(strings.Repeat(requests("ECHO x"), 1000))
	if err := half.Conn.(*tls.Conn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := half.readAll(); got != strings.Repeat(bulk("x"), 1000) {
		t.Errorf("%d bytes", len(got))
	}
	quits := f.dial(srv)
	quits.want("QUIT", "+OK\r\n")
	if got := quits.readAll(); got != "" {
		t.Errorf("after QUIT: %q", got)
	}
	// A protocol error is answered, and the connection ends in order.
	wrong := f.dial(srv)
	wrong.send("*abc\r\n")
	if got := wrong.readAll(); got != "-ERR Protocol error: invalid multibulk length\r\n" {
		t.Errorf("got %q", got)
	}
}

// TestTLSDurable: with appendfsync always an encrypted client gets its replies when they are on the disk.
func TestTLSDurable(t *testing.T) {
	f := newTLSFiles(t)
	dir := t.TempDir()
	srv := f.open(Options{Dir: dir}, "appendonly", "yes", "appendfsync", "always")
	c := f.dial(srv)
	for i := range 50 {
		c.want(fmt.Sprintf("SET k%d v", i), "+OK\r\n")
	}
	c.send(strings.Repeat(requests("INCR n"), 500))
	for i := range 500 {
		if got := c.read(); got != fmt.Sprintf(":%d\r\n", i+1) {
			t.Fatalf("%d: %q", i, got)
		}
	}
	closeServer(t, srv)
	again := openWith(t, Options{Addr: "127.0.0.1:0", Dir: dir}, "appendonly", "yes")
	dial(t, again).want("DBSIZE", ":51\r\n")
}

// TestTLSClientCertificates asks for them in all ways.
func TestTLSClientCertificates(t *testing.T) {
	f := newTLSFiles(t)
	srv := f.open(Options{})
	admin := dial(t, srv)
	stranger, err := certs.New("stranger")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := stranger.Sign("client")
	if err != nil {
		t.Fatal(err)
	}
	foreign := f.config(false)
	cert, err := pair.TLS()
	if err != nil {
		t.Fatal(err)
	}
	foreign.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
	// try reports whether a client is served. A refusal comes with the first bytes that are read.
	try := func(conf *tls.Config) bool {
		c, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", srv.TLSAddr(), conf)
		if err != nil {
			return false
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		io.WriteString(c, requests("PING"))
		b := make([]byte, len(pong))
		_, err = io.ReadFull(c, b)
		return err == nil && string(b) == pong
	}
	for _, row := range []struct {
		mode                 string
		with, without, alien bool
	}{{"yes", true, false, false}, {"optional", true, true, false}, {"no", true, true, true}, {"yes", true, false, false}} {
		admin.want("CONFIG SET tls-auth-clients "+row.mode, "+OK\r\n")
		if got := [3]bool{try(f.config(true)), try(f.config(false)), try(foreign)}; got != [3]bool{row.with, row.without, row.alien} {
			t.Errorf("%s: %v", row.mode, got)
		}
	}
	old := f.config(true)
	old.MaxVersion = tls.VersionTLS12
	admin.want("CONFIG SET tls-protocols TLSv1.3", "+OK\r\n")
	if try(old) || !try(f.config(true)) {
		t.Error("TLS 1.2 is served, or 1.3 is not")
	}
}

// TestTLSParameters changes them while the server runs.
func TestTLSParameters(t *testing.T) {
	const refused = " - Unable to update TLS configuration. Check server logs.\r\n"
	f := newTLSFiles(t)
	srv := openServer(t)
	c := dial(t, srv)
	// Without a TLS port nobody looks at the files.
	c.want("CONFIG SET tls-cert-file /nosuch", "+OK\r\n")
	if got := c.do("CONFIG SET tls-port 1"); got != "-ERR CONFIG SET failed (possibly related to argument 'tls-port')"+refused {
		t.Errorf("got %q", got)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	set := append([]string{"CONFIG", "SET"}, f.settings...)
	if got := c.doArgs(append(set, "tls-port", fmt.Sprint(taken.Addr().(*net.TCPAddr).Port))...); got != "-ERR CONFIG SET failed (possibly related to argument 'tls-port') - Unable to listen on this port. Check server logs.\r\n" {
		t.Errorf("got %q", got)
	}
	if got := c.do("CONFIG GET tls-cert-file"); !strings.HasSuffix(got, "/nosuch\r\n") {
		t.Errorf("not put back: %q", got)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := fmt.Sprint(free.Addr().(*net.TCPAddr).Port)
	free.Close()
	if got := c.doArgs(append(set, "tls-port", port)...); got != "+OK\r\n" {
		t.Skipf("the port was taken meanwhile: %q", got)
	}
	serial := func() string {
		t.Helper()
		nc, err := tls.Dial("tcp", "127.0.0.1:"+port, f.config(true))
		if err != nil {
			t.Fatal(err)
		}
		tc := newClient(t, nc)
		defer nc.Close()
		tc.want("PING", pong)
		return nc.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	first := serial()
	for name, value := range map[string]string{
		"tls-cert-file": "/nosuch", "tls-key-file": "/nosuch", "tls-ca-cert-file": "/nosuch", "tls-ca-cert-dir": "/nosuch",
		"tls-protocols": "SSLv3", "tls-ciphers": "NOSUCH", "tls-ciphersuites": "NOSUCH",
	} {
		if got := c.doArgs("CONFIG", "SET", name, value); got != "-ERR CONFIG SET failed (possibly related to argument '"+name+"')"+refused {
			t.Errorf("%s: %q", name, got)
		}
	}
	if serial() != first {
		t.Error("another certificate")
	}
	cert, key := f.write("second")
	if got := c.doArgs("CONFIG", "SET", "tls-cert-file", cert, "tls-key-file", key); got != "+OK\r\n" {
		t.Errorf("got %q", got)
	}
	if serial() == first {
		t.Error("the old certificate")
	}
	c.want("CONFIG SET tls-port 0", "+OK\r\n")
	if nc, err := tls.Dial("tcp", "127.0.0.1:"+port, f.config(true)); err == nil { // somebody else may have it by now
		nc.Close()
		t.Error("the port is still open")
	}
}

// TestTLSStart refuses to start without what TLS needs.
func TestTLSStart(t *testing.T) {
	for _, s := range []settings{{"tls-port", "1"}, {"tls-replication", "yes"}, {"tls-cluster", "yes"}} {
		srv, err := Open(Options{Addr: "127.0.0.1:0", Config: configOf(t, s...)})
		if err == nil {
			closeServer(t, srv)
		}
		if err == nil || err.Error() != "Failed to configure TLS. Check logs for more info." {
			t.Errorf("%v: %v", s, err)
		}
	}
}

// TestUnfinishedHandshakes: those who begin and do not go on keep out nobody, are no clients, and are gone after a while.
func TestUnfinishedHandshakes(t *testing.T) {
	f := newTLSFiles(t)
	srv := f.open(Options{}, "maxclients", "60")
	plain := dial(t, srv)
	p := startPinger(t, srv)
	var all []net.Conn
	hello := "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
	for i := range 200 {
		nc, err := net.DialTimeout("tcp", srv.TLSAddr(), patience)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if i%2 == 0 {
			io.WriteString(nc, hello)
		}
		all = append(all, nc)
	}
	c := f.dial(srv)
	c.want("PING", pong)
	if got := plain.do("INFO clients"); !strings.Contains(got, "connected_clients:3\r\n") {
		t.Errorf("%q", got)
	}
	p.check(t)
	// More than may be under way have given way, the first of them.
	all[0].SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadAll(all[0]); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Error(err)
	}
	// Places of clients are not theirs.
	for range 20 {
		f.dial(srv).want("PING", pong)
	}
}

func TestHandshakeDeadline(t *testing.T) {
	f := newTLSFiles(t)
	srv := f.open(Options{handshake: 50 * time.Millisecond})
	nc, err := net.Dial("tcp", srv.TLSAddr())
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, nc)
	c.send("\x16\x03\x01\x02\x00")
	c.readAll() // fails if it takes longer than a test waits
}

// timed is a connection that notes the deadlines it is given.
type timed struct {
	net.Conn
	mu  sync.Mutex
	all []time.Time
}

func (c *timed) SetDeadline(at time.Time) error {
	c.mu.Lock()
	c.all = append(c.all, at)
	c.mu.Unlock()
	return c.Conn.SetDeadline(at)
}

// TestNoDeadlineAfterHandshake: a client whose handshake is done has all the time of the world.
func TestNoDeadlineAfterHandshake(t *testing.T) {
	f := newTLSFiles(t)
	cert, err := f.sign("server").TLS()
	if err != nil {
		t.Fatal(err)
	}
	plain, l := newPipeListener(), newPipeListener()
	openWith(t, Options{Listeners: []net.Listener{plain}, TLSListeners: []net.Listener{l}, TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}})
	near, far := net.Pipe()
	server := &timed{Conn: far}
	l.conns <- server
	newClient(t, tls.Client(near, f.config(false))).want("PING", pong)
	server.mu.Lock()
	defer server.mu.Unlock()
	if len(server.all) != 2 || server.all[0].IsZero() || !server.all[1].IsZero() {
		t.Errorf("the deadlines were %v: want that of the handshake, and none", server.all)
	}
}

// TestForeignOnTLS sends what is no TLS to its port.
func TestForeignOnTLS(t *testing.T) {
	f := newTLSFiles(t)
	srv := f.open(Options{})
	other := f.dial(srv)
	for name, hello := range map[string]string{
		"RESP":    requests("PING"),
		"inline":  "PING\r\n",
		"HTTP":    "POST / HTTP/1.1\r\nHost: x\r\n\r\n",
		"SSH":     "SSH-2.0-OpenSSH_9.2\r\n",
		"PNG":     "\x89PNG\r\n\x1a\n",
		"zeros":   strings.Repeat("\x00", 100),
		"records": strings.Repeat("\x16\x03\x01\xff\xff", 1000),
		"nothing": "",
	} {
		t.Run(name, func(t *testing.T) {
			nc, err := net.Dial("tcp", srv.TLSAddr())
			if err != nil {
				t.Fatal(err)
			}
			c := newClient(t, nc)
			c.send(hello)
			_ = nc.(*net.TCPConn).CloseWrite()
			c.SetReadDeadline(time.Now().Add(patience))
			b, err := io.ReadAll(c.r)
			if n, ok := err.(net.Error); ok && n.Timeout() {
				t.Error("the connection stays")
			}
			if len(b) > 0 && b[0] != 0x15 { // an alert
				t.Errorf("answered %q", b)
			}
			other.want("PING", pong)
		})
	}
}

// TestTLSEnds ends servers and clients that do not read, in good time.
func TestTLSEnds(t *testing.T) {
	f := newTLSFiles(t)
	srv := f.open(Options{})
	admin, stuck := dial(t, srv), f.dial(srv)
	admin.doArgs("SET", "big", strings.Repeat("x", 4<<20))
	id := strings.TrimSpace(strings.TrimPrefix(stuck.do("CLIENT ID"), ":"))
	stuck.send(strings.Repeat(requests("GET big"), 50))
	admin.want("CLIENT KILL ID "+id, ":1\r\n")
	waitFor(t, "the client to go", func() bool { return !strings.Contains(admin.do("CLIENT LIST"), "id="+id+" ") })
	again, begun := f.dial(srv), 0
	again.send(strings.Repeat(requests("GET big"), 50))
	for range 10 {
		nc, err := net.Dial("tcp", srv.TLSAddr())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		begun++
	}
	start := time.Now()
	closeServer(t, srv)
	if took := time.Since(start); took > farewell*3/4 {
		t.Errorf("took %v: the client was left the time of one that goes by itself", took)
	}
}

// pipeListener accepts connections within the process.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func newPipeListener() *pipeListener { return &pipeListener{make(chan net.Conn), make(chan struct{})} }

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	select {
	case <-l.done:
	default:
		close(l.done)
	}
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

// TestListeners serves connections of listeners that the embedding program has made, with and without TLS.
func TestListeners(t *testing.T) {
	f := newTLSFiles(t)
	cert, err := f.sign("server").TLS()
	if err != nil {
		t.Fatal(err)
	}
	a, b := newPipeListener(), newPipeListener()
	srv := openWith(t, Options{Listeners: []net.Listener{a}, TLSListeners: []net.Listener{b}, TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}})
	if srv.Addr() != "" || srv.TLSAddr() != "" {
		t.Errorf("listens on %s and %s", srv.Addr(), srv.TLSAddr())
	}
	dialPipe := func(l *pipeListener) net.Conn {
		near, far := net.Pipe()
		l.conns <- far
		return near
	}
	plain := newClient(t, dialPipe(a))
	plain.want("SET k v", "+OK\r\n")
	encrypted := newClient(t, tls.Client(dialPipe(b), f.config(false)))
	encrypted.want("GET k", bulk("v"))
}

// TestRedisCLI has redis-cli, if it is there, talk to the TLS port.
func TestRedisCLI(t *testing.T) {
	path, err := exec.LookPath("redis-cli")
	if err != nil {
		t.Skip("no redis-cli")
	}
	f := newTLSFiles(t)
	srv := f.open(Options{})
	cert, key := f.write("client")
	host, port, _ := net.SplitHostPort(srv.TLSAddr())
	args := []string{"-h", host, "-p", port, "--tls", "--cacert", filepath.Join(f.dir, "ca.crt"), "--cert", cert, "--key", key}
	cmd := exec.Command(path, args...)
	cmd.Stdin = strings.NewReader("SET k v\nGET k\nHELLO 3\nINCR n\n")
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "Unrecognized option") {
		t.Skip("redis-cli has no TLS")
	}
	if err != nil || !strings.HasPrefix(string(out), "OK\nv\n") {
		t.Errorf("%v: %s", err, out)
	}
}
