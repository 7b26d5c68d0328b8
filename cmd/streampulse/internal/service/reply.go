package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

const maxJSON = 16 << 10 // bytes of a body

// failure is an error that the client shall see.
type failure struct {
	status     int
	code       string // for programs
	message    string // for people
	retryAfter int64  // seconds; 0: none
}

func (f *failure) Error() string { return f.message }

func refuse(status int, code, format string, args ...any) *failure {
	return &failure{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

// away is the failure of something that the service stands on. What exactly is for the log, not for the client.
func (s *Service) away(r *http.Request, err error) *failure {
	if !errors.Is(err, context.Canceled) {
		s.o.Log.Warn("cannot answer", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	f := refuse(http.StatusServiceUnavailable, "unavailable", "that cannot be answered just now; ask again")
	f.retryAfter = 1
	return f
}

func (f *failure) write(w http.ResponseWriter) {
	if f.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(f.retryAfter, 10))
	}
	type body struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	writeJSON(w, f.status, map[string]body{"error": {f.code, f.message}})
}

// writeJSON replies with v. What the client's connection makes of it is not the handler's business.
func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // v is one of the service's own types
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
}

// handler replies, or returns an error before it has begun to reply.
type handler func(w http.ResponseWriter, r *http.Request) error

// answer makes a reply of an error. One that is not a failure is of what the service stands on.
func (s *Service) answer(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := h(w, r)
		if err == nil {
			return
		}
		var f *failure
		if !errors.As(err, &f) {
			f = s.away(r, err)
		}
		f.write(w)
	})
}

// readID checks what shall be the id of a user or a post: 1 to 64 letters, digits, '-' or '_', the first one no '-'.
func readID(what, id string) (string, error) {
	ok := len(id) >= 1 && len(id) <= 64 && id[0] != '-'
	for _, c := range []byte(id) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_')
	}
	if !ok {
		return "", refuse(http.StatusBadRequest, "id", "the id of a %s is 1 to 64 letters of a-z and A-Z, digits, '-' or '_', and does not begin with '-'", what)
	}
	return id, nil
}

// readJSON reads the one JSON object that a body is. It wants to be called JSON, which no form of another site can do.
func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := strings.ToLower(params["charset"])
	if err != nil || kind != "application/json" || charset != "" && charset != "utf-8" {
		return refuse(http.StatusUnsupportedMediaType, "media_type", "the body must be application/json in UTF-8")
	}
	if err := uncompressed(r); err != nil {
		return err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxJSON))
	if err != nil {
		return unread(err)
	}
	if !utf8.Valid(body) {
		return refuse(http.StatusBadRequest, "encoding", "the body is not UTF-8")
	}
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return refuse(http.StatusBadRequest, "json", "the body is not a JSON object")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return refuse(http.StatusBadRequest, "json", "the body is not the JSON that is wanted here: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return refuse(http.StatusBadRequest, "json", "there is something behind the JSON object")
	}
	return nil
}

// uncompressed refuses bodies that would have to be inflated.
func uncompressed(r *http.Request) error {
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return refuse(http.StatusUnsupportedMediaType, "content_encoding", "a body must not be compressed")
	}
	return nil
}

// unread is why a body could not be read.
func unread(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return refuse(http.StatusRequestEntityTooLarge, "size", "the body has more than %d bytes", tooLarge.Limit)
	}
	return refuse(http.StatusBadRequest, "body", "the body could not be read to its end")
}

// checkText refuses text that is too long, that has controls, or that was not Unicode when it was written: what the decoder could not
// read has become U+FFFD.
func checkText(name, text string, atLeast, atMost int) error {
	n := 0
	for _, c := range text {
		n++
		if c < ' ' && c != '\n' || c >= 0x7f && c < 0xa0 || c == utf8.RuneError || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 {
			return refuse(http.StatusBadRequest, "text", "%s has a character that is not text", name)
		}
	}
	if n < atLeast || n > atMost || n > 0 && strings.TrimSpace(text) == "" {
		return refuse(http.StatusBadRequest, "text", "%s has %d to %d characters, not only blanks", name, atLeast, atMost)
	}
	return nil
}

// The forms that a reply can have.
const (
	asJSON   = "application/json"
	asHTML   = "text/html"
	asEvents = "text/event-stream"
)

// form is which of the offered forms a client prefers by its Accept, the first one if it does not say.
func form(w http.ResponseWriter, r *http.Request, offered ...string) string {
	w.Header().Add("Vary", "Accept")
	best, bestQ := offered[0], 0.0
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		kind, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q := 1.0
		if text, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		for _, o := range offered {
			if kind == o && q > bestQ {
				best, bestQ = o, q
			}
		}
	}
	return best
}
