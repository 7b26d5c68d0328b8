package server

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// TestTrackedEvictionBeforeReply: what goes to make room for a request is told of before the request is answered, also where
// the reply itself is held back.
func TestTrackedEvictionBeforeReply(t *testing.T) {
	srv := openServer(t, "maxmemory-policy", "volatile-ttl", "maxmemory-eviction-tenacity", "100")
	c := dial(t, srv)
	c.do("HELLO 3")
	c.want("CLIENT TRACKING on", "+OK\r\n")
	for round, reply := range []string{"+PONG\r\n", ""} {
		key := fmt.Sprint("goes", round)
		c.doArgs("SET", key, "x", "EX", "1000")
		c.do("GET " + key)
		_, used, _ := strings.Cut(c.do("INFO memory"), "used_memory:")
		used, _, _ = strings.Cut(used, "\r")
		n, err := strconv.Atoi(used)
		if err != nil {
			t.Fatal(err)
		}
		c.want(fmt.Sprint("CONFIG SET maxmemory ", n+300_000), "+OK\r\n")
		big := requests(fmt.Sprint("SETRANGE big", round, " 600000 x"))
		told := fmt.Sprintf(">2\r\n$10\r\ninvalidate\r\n*1\r\n$5\r\n%s\r\n", key)
		switch round {
		case 0:
			c.send(big + requests("PING"))
			c.expect(":600001\r\n" + told + reply)
		case 1:
			c.send(big)
			c.expect(":600001\r\n")
			c.send(requests("CLIENT REPLY OFF"))
			c.expect(told)
		}
		if round == 0 {
			c.want("CONFIG SET maxmemory 0", "+OK\r\n")
		}
	}
}
