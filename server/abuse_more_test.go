package server

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The inputs that servers of this protocol have met, and the tests that send them:
//
//	counts and lengths that are none, odd quotes          TestProtocolErrors
//	POST and Host: as commands                            TestProtocolErrors, TestAttackIsLogged
//	TLS, SSH, PNG and noise; RESP on the TLS port         TestForeignProtocols, TestForeignOnTLS
//	handshakes that are never finished                    TestUnfinishedHandshakes, TestManyUnfinishedHandshakes,
//	                                                      TestHandshakeDeadline
//	slow, half-open and half-closed clients               TestSlowSender, TestManyIdle, TestHalfClosed,
//	                                                      TestHalfClosedAndSilent, TestIdleTimeout
//	replies that are never read                           TestClientThatDoesNotRead, TestManyUnreadReplies,
//	                                                      TestEndlessPipeline, TestNormalOutputLimit, TestUnreadLoans
//	requests before AUTH                                  TestLimitsBeforeAuthentication,
//	                                                      TestQueryBufferOfTheUnauthenticated
//	an endless request, an endless MULTI                  TestQueryBufferLimit, TestLongTransaction, TestLargeRequest
//	subscribers and monitors that do not read             TestSubscriberThatDoesNotRead, TestMonitorThatDoesNotRead,
//	                                                      TestOwnMessages
//	GET of a subscriber                                   transcripts pubsub, TestHello
//	more clients than maxclients, or than descriptors     TestMaxClients, TestOutOfDescriptors, TestFewDescriptors
//	clients from outside without a password               TestProtectedMode, TestProtectedModeFromOutside
//	long names of commands                                TestLongNames
//	guesses of passwords                                  TestPasswordGuessing, TestLoginFlood, acl: TestDenialLog
//	HELLO with what it does not know                      transcripts connection/hello, abuse/clients
//	ACL rules that make no sense, or are very many        transcripts acl/errors, acl: TestManyRules, TestModel
//	a user who deletes itself, or loads a file without    transcripts acl/deleted, TestDeletedUser, TestACLFile
//	keys by way of options, scripts and transactions      transcripts acl/refusals, acl/scripts, acl/multi,
//	                                                      TestDryRunAgreesWithRedis, TestKeysByDetours
//	counts of keys                                        transcripts abuse/numkeys, server/command
//	CLIENT KILL, UNBLOCK and PAUSE                        TestClientKill, TestClientUnblock, TestClientPause,
//	                                                      TestClientKillOfOnlookers, TestClientKillUnderTLS,
//	                                                      TestTLSEnds, transcripts abuse/clients
//	CONFIG SET of what is protected, DEBUG                TestProtectedParameters, TestDebugMustBeAllowed
//	REPLICAOF, PSYNC                                      TestNoReplicas, transcripts server/replication
//	tracking of many keys and prefixes, of clients that   tracking: TestLimit, TestModel, TestManyPrefixes,
//	are gone                                              transcripts tracking/broken, tracking/errors
//	half a request from each of many clients              TestHalfRequests, TestHalfRequestsOfMany, TestManyIdle
//	WAIT for very long                                    transcripts info/modules, TestWaitNeverWaits
//	messages of a cluster's bus                           TestNoClusterBus
//	files that are no files, or not to be read            TestStart, TestStartFIFO, TestStartDenied, TestTwoServers
//	an end at any time                                    TestShutdownWhileLoading, TestShutdownSaves,
//	                                                      TestShutdownWhileWriting; cmd/pulse-server: TestUnreadReplies

// TestKeysByDetours: a user reaches keys it has no right to by no detour.
func TestKeysByDetours(t *testing.T) {
	srv := openServer(t)
	admin := dial(t, srv)
	const key = "-NOPERM No permissions to access a key\r\n"
	admin.want("ACL SETUSER bob on nopass ~k* resetchannels +@all -@admin", "+OK\r\n")
	admin.want("SET x secret", "+OK\r\n")
	admin.want("RPUSH kl 1", ":1\r\n")
	admin.want("GEOADD kg 1 1 m", ":1\r\n")
	c := dial(t, srv)
	c.want("AUTH bob x", "+OK\r\n")
	for line, want := range map[string]string{
		"SORT kl BY x*":                                   "-ERR BY option of SORT denied due to insufficient ACL permissions.\r\n",
		"SORT kl GET x*":                                  "-ERR GET option of SORT denied due to insufficient ACL permissions.\r\n",
		"SORT_RO kl BY nosort GET x*":                     "-ERR GET option of SORT denied due to insufficient ACL permissions.\r\n",
		"SORT kl STORE x":                                 key,
		"SORT kl STORE k STORE x":                         key,
		"GEORADIUS kg 1 1 9 km STORE k STORE x":           key,
		"GEORADIUS kg 1 1 9 km STORE x STORE k":           key,
		"GEORADIUS kg 1 1 9 km STORE k STOREDIST x":       key,
		"GEORADIUSBYMEMBER kg m 9 km STOREDIST x STORE k": key,
		"GEOSEARCHSTORE x kg FROMMEMBER m BYRADIUS 9 km":  key,
		"XREAD STREAMS k1 k2 x 0 0 0":                     key,
		"XREAD COUNT 1 BLOCK 1 STREAMS x k1 0 0":          key,
		"XREAD STREAMS STREAMS x 0 0":                     key,
		"XREADGROUP GROUP STREAMS k STREAMS x >":          key,
		"EVAL return 1 x":                                 key,
		"COPY k1 x DB 1":                                  key,
		"COPY x k1 DB 0":                                  key,
		"COPY x k1 DB 1 REPLACE":                          key,
		"MOVE x 1":                                        key,
		"OBJECT FREQ x":                                   key,
		"DUMP x":                                          key,
		"RESTORE x 0 a":                                   key,
		"PFCOUNT k1 x":                                    key,
		"ZUNION 3 k1 k2 x":                                key,
		"ZDIFF 2 k1 x WITHSCORES":                         key,
		"LCS k1 x":                                        key,
		"BLMPOP 0.01 2 k1 x LEFT":                         key,
	} {
		c.want(line, want)
	}
	// The last one counts, and it alone.
	c.want("SORT kl STORE x STORE k", ":1\r\n")
	// Scripts declare keys, and reach others only by calls that are checked themselves.
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"EVAL", "return redis.call('get', KEYS[2])", "2", "k1", "x"}, key},
		{[]string{"EVAL_RO", "return 1", "1", "x"}, key},
		{[]string{"EVAL", "return redis.pcall('get', 'x')['err']", "0"}, ""},
		{[]string{"EVAL", "return redis.pcall('sort', 'kl', 'by', 'nosort', 'get', 'x')['err']", "0"}, ""},
	} {
		got := c.doArgs(row.args...)
		if row.want != "" && got != row.want || strings.Contains(got, "secret") || !strings.Contains(got, "ermission") {
			t.Errorf("%q = %q", row.args, got)
		}
	}
	// What was allowed when it was queued is not when it is carried out.
	c.want("MULTI", "+OK\r\n")
	c.want("GET k1", "+QUEUED\r\n")
	c.want("COPY k1 k2 DB 1", "+QUEUED\r\n")
	admin.want("ACL SETUSER bob resetkeys ~k2", "+OK\r\n")
	const changed = "-NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission to touch the specified keys\r\n"
	c.want("EXEC", "*2\r\n"+changed+changed)
	admin.want("GET x", bulk("secret"))
	admin.want("EXISTS k1 k2", ":0\r\n")
}

// TestWaitNeverWaits: there are no replicas, and where nothing may wait WAIT does not either.
func TestWaitNeverWaits(t *testing.T) {
	srv := openServer(t)
	c, other := dial(t, srv), dial(t, srv)
	c.want("WAIT 2147483648 9223372036854775807", "-ERR timeout is out of range\r\n")
	c.want("MULTI", "+OK\r\n")
	c.want("WAIT 3 0", "+QUEUED\r\n")
	c.want("EXEC", "*1\r\n:0\r\n")
	if got := c.doArgs("EVAL", "return redis.pcall('wait', '1', '0')", "0"); got != ":0\r\n" && !strings.HasPrefix(got, "-ERR This Redis command is not allowed from script") {
		t.Errorf("in a script: %q", got)
	}
	if got := c.do("WAITAOF 2 0 0"); !strings.HasPrefix(got, "-ERR ") {
		t.Errorf("WAITAOF 2 = %q", got)
	}
	alive(t, other)
}

// TestManyPrefixes: a client that wants to be told of very many prefixes holds up nobody, and they go with it.
func TestManyPrefixes(t *testing.T) {
	srv := openServer(t)
	other := dial(t, srv)
	pings := startPinger(t, srv)
	c := dial(t, srv)
	c.do("HELLO 3")
	const n = 100_000
	args := []string{"CLIENT", "TRACKING", "ON", "BCAST"}
	for i := range n {
		args = append(args, "PREFIX", fmt.Sprintf("%06d", i))
	}
	if got := c.doArgs(args...); got != "+OK\r\n" {
		t.Fatalf("%.100q", got)
	}
	other.want("SET 000777:a v", "+OK\r\n")
	if got, want := c.read(), ">2\r\n"+bulk("invalidate")+"*1\r\n"+bulk("000777:a"); got != want {
		t.Errorf("got %q", got)
	}
	if got := other.do("INFO stats"); !strings.Contains(got, "tracking_total_prefixes:"+strconv.Itoa(n)+"\r\n") {
		t.Errorf("%s", got)
	}
	c.Close()
	waitFor(t, "the prefixes to go", func() bool { return strings.Contains(other.do("INFO stats"), "tracking_total_prefixes:0\r\n") })
	pings.check(t)
}

// TestNoClusterBus: there is no port for a cluster's bus, and its messages on the port of clients are no commands.
func TestNoClusterBus(t *testing.T) {
	srv := openServer(t)
	other := dial(t, srv)
	_, port, _ := net.SplitHostPort(srv.Addr())
	if n, _ := strconv.Atoi(port); n+10_000 < 65_536 {
		if nc, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", n+10_000), time.Second); err == nil {
			nc.Close()
			t.Logf("another program has port %d", n+10_000)
		}
	}
	if got := len(srv.listeners.all); got != 1 {
		t.Errorf("%d ports are open", got)
	}
	// A header: signature, length, version, port, type, count; the length and the count are wrong in all ways.
	for _, length := range []string{"\x00\x00\x00\x00", "\x00\x00\x08\xe8", "\x7f\xff\xff\xff", "\xff\xff\xff\xff"} {
		for _, kind := range []string{"\x00\x00\xff\xff", "\x00\x02\x00\x03", "\xff\xff\xff\xff"} {
			c := dial(t, srv)
			c.send("RCmb" + length + "\x00\x01\x18\xeb" + kind + strings.Repeat("\x00", 2048) + "\x40\x00" + strings.Repeat("\xff", 2048) + "\r\n")
			_ = c.Conn.(*net.TCPConn).CloseWrite()
			c.SetReadDeadline(time.Now().Add(patience))
			b, err := io.ReadAll(c.r)
			if n, ok := err.(net.Error); ok && n.Timeout() {
				t.Fatal("the connection stays")
			}
			for line := range strings.Lines(string(b)) {
				if !strings.HasPrefix(line, "-ERR ") {
					t.Errorf("%.100q", line)
				}
			}
		}
	}
	other.want("DBSIZE", ":0\r\n")
	for _, line := range []string{"CLUSTER MEET 127.0.0.1 1", "CLUSTER ADDSLOTS 16384", "CLUSTER SETSLOT 16384 STABLE"} {
		other.want(line, "-ERR This instance has cluster support disabled\r\n")
	}
	alive(t, other)
}
