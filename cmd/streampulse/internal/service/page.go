package service

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
)

// The pages load nothing from elsewhere; style and script stand in them, with a number that no other reply has, so that what somebody
// might smuggle into a page is neither.
var (
	//go:embed style.css
	style string
	//go:embed board.js
	boardScript string
	//go:embed board.html
	boardText string
	//go:embed user.html
	userText string

	boardPage = template.Must(template.New("board").Parse(boardText))
	userPage  = template.Must(template.New("user").Parse(userText))
)

// page is what templates get.
type page struct {
	Nonce  string
	Style  template.CSS
	Script template.JS
	Data   any
}

// writePage replies with a page, or returns an error when the template fails; nothing of it is sent then.
func writePage(w http.ResponseWriter, t *template.Template, data any) error {
	var b [16]byte
	_, _ = rand.Read(b[:]) // documented never to fail
	nonce := base64.RawStdEncoding.EncodeToString(b[:])
	var html bytes.Buffer
	//nolint:gosec // style and script are the program's own
	p := page{Nonce: nonce, Style: template.CSS(style), Script: template.JS(boardScript), Data: data}
	if err := t.Execute(&html, p); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'nonce-"+nonce+"'; style-src 'nonce-"+nonce+
		"'; img-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'")
	_, _ = html.WriteTo(w)
	return nil
}
