package service

import (
	"fmt"
	"math"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// admit asks the limiter, and answers for it when a request may not pass.
func (s *Service) admit(w http.ResponseWriter, r *http.Request) bool {
	from := s.client(r)
	if !from.IsValid() {
		refuse(http.StatusBadRequest, "address", "where the request comes from is unknown").write(w)
		return false
	}
	d, err := s.limiter.Allow(r.Context(), limited(from))
	if err != nil {
		s.away(r, err).write(w)
		return false
	}
	h := w.Header()
	h.Set("RateLimit-Limit", strconv.Itoa(s.o.PerMinute))
	h.Set("RateLimit-Remaining", strconv.FormatInt(d.Remaining, 10))
	h.Set("RateLimit-Reset", strconv.FormatInt(seconds(d.Reset), 10))
	h.Set("RateLimit-Policy", fmt.Sprintf("%d;w=60", s.o.PerMinute))
	if d.Allowed {
		return true
	}
	fail := refuse(http.StatusTooManyRequests, "rate_limit", "%d requests a minute are allowed", s.o.PerMinute)
	fail.retryAfter = max(1, seconds(d.RetryAfter))
	fail.write(w)
	return false
}

func seconds(d time.Duration) int64 { return int64(math.Ceil(d.Seconds())) }

// client is the address a request comes from: of its connection or, if that is a trusted proxy's, the last address in
// X-Forwarded-For that is not. Each proxy appends whom it was asked by; so what a client writes there itself stands further to the left than
// anything that a trusted proxy has written, and is never read.
func (s *Service) client(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	at := peer.Addr().Unmap().WithZone("")
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.trusts(at); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			return at
		}
		at = hop.Unmap().WithZone("")
	}
	return at
}

func (s *Service) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(s.o.Trusted, func(p netip.Prefix) bool { return p.Contains(a) })
}

// limited is what the limit is for: an IPv4 address, or the 64 bits of an IPv6 address that a provider gives to one customer.
func limited(a netip.Addr) string {
	if a.Is6() {
		p, err := a.Prefix(64)
		if err == nil {
			return p.String()
		}
	}
	return a.String()
}

// checkHost refuses requests that were sent to another name: a page elsewhere whose name was pointed at this address meanwhile (DNS
// rebinding) would have the browser's word that it is of the same origin.
func (s *Service) checkHost(r *http.Request) *failure {
	if len(s.o.Hosts) == 0 {
		return nil
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if slices.Contains(s.o.Hosts, host) {
		return nil
	}
	return refuse(http.StatusMisdirectedRequest, "host", "this service does not go by that name")
}

// headed sets the headers that all replies have.
func (s *Service) headed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// logged tells of each request, and answers for a handler that panics.
func (s *Service) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		seen := &seen{ResponseWriter: w}
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler { //nolint:errorlint // the value itself is what net/http panics with
					panic(p)
				}
				s.o.Log.Error("handler panicked", "path", r.URL.Path, "panic", p)
				if seen.status != 0 {
					panic(http.ErrAbortHandler) // a reply that has begun cannot be made an error any more
				}
				refuse(http.StatusInternalServerError, "internal", "that is a fault of the service").write(seen)
			}
			s.o.Log.Debug("request", "method", r.Method, "path", r.URL.Path, "status", seen.status, "took", time.Since(began), "from", r.RemoteAddr)
		}()
		next.ServeHTTP(seen, r)
	})
}

// seen remembers the status of a reply.
type seen struct {
	http.ResponseWriter
	status int
}

func (w *seen) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *seen) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *seen) Unwrap() http.ResponseWriter { return w.ResponseWriter }
