package server

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/panjf2000/gnet/v2"
)

// TestHeldRepliesOfFullSocket has replies held for clients whose socket is full: whatever happens to the session next, the
// client gets every byte in order.
func TestHeldRepliesOfFullSocket(t *testing.T) {
	big := strings.Repeat("x", 2*heldReplyMax)
	for _, row := range []struct {
		name, want string
		next       func(s *session, p *place) gnet.Action
	}{
		{"flush", "held", func(_ *session, p *place) gnet.Action {
			p.loop.flush()
			return gnet.None
		}},
		{"close", "held", func(_ *session, p *place) gnet.Action { return gnet.Close }},
		{"large reply", "held" + bulk(big), func(s *session, p *place) gnet.Action {
			return p.feed(s, []byte(encode("ECHO", big)))
		}},
		{"slow session", "held" + bulk("next"), func(s *session, p *place) gnet.Action {
			s.slow = true
			return p.feed(s, []byte(encode("ECHO", "next")))
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			srv := openServer(t)
			c := dial(t, srv)
			c.want("PING", pong)
			var s *session
			srv.clients.each(func(each *session) { s = each })
			p := (*s.owner.Load()).(*place)
			filled := make(chan int)
			p.loop.post(func() {
				chunk, full := make([]byte, 64<<10), 0
				for {
					n := p.write(chunk)
					if full += n; n < len(chunk) {
						break
					}
				}
				p.loop.held.always = true
				p.loop.hold(p, s, []byte("held"), 0)
				p.loop.held.always = false
				if row.next(s, p) == gnet.Close {
					_ = p.gc.EventLoop().Close(p.gc)
				}
				filled <- full
			})
			n := <-filled
			c.SetReadDeadline(time.Now().Add(patience))
			if _, err := io.CopyN(io.Discard, c.r, int64(n)); err != nil {
				t.Fatal(err)
			}
			c.expect(row.want)
			c.want("PING", pong) // the session lives on
		})
	}
}

// TestLatencyTracking switches the histograms behind INFO latencystats.
func TestLatencyTracking(t *testing.T) {
	srv := openServer(t, "latency-tracking", "no")
	c := dial(t, srv)
	c.want("PING", pong)
	if got := c.do("INFO latencystats"); strings.Contains(got, "_ping") {
		t.Errorf("without tracking: %s", got)
	}
	c.want("CONFIG SET latency-tracking yes", "+OK\r\n")
	c.want("PING", pong)
	if got := c.do("INFO latencystats"); !strings.Contains(got, "latency_percentiles_usec_ping:p50=") {
		t.Errorf("with tracking: %s", got)
	}
}
