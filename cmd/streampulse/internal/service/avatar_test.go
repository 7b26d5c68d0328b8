package service_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	_ "image/jpeg"
	"io/fs"
	"mime/multipart"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/streampulse/pulse/cmd/streampulse/internal/avatar"
)

// files are those in the blob store.
func (p *platform) files() (all []string) {
	p.t.Helper()
	err := filepath.WalkDir(p.blobs, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(p.blobs, path)
			all = append(all, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		p.t.Error(err)
	}
	return all
}

func (p *platform) avatarColor(user string) color.Color {
	p.t.Helper()
	r := p.do("GET", "/users/"+user+"/avatar/64", "")
	m, _, err := image.Decode(strings.NewReader(r.body))
	if r.status != 200 || err != nil || m.Bounds().Dx() != 64 {
		p.t.Fatalf("%d, %v", r.status, err)
	}
	return m.At(32, 32)
}

func near(a, b color.Color) bool {
	r, g, bl, _ := a.RGBA()
	r2, g2, b2, _ := b.RGBA()
	for _, d := range [][2]uint32{{r, r2}, {g, g2}, {bl, b2}} {
		if max(d[0], d[1])-min(d[0], d[1]) > 0x1000 {
			return false
		}
	}
	return true
}

var red, blue = color.RGBA{R: 255, A: 255}, color.RGBA{B: 255, A: 255}

// form is a body of parts, name and content in turn.
func form(t *testing.T, parts ...string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		part, err := w.CreateFormFile(parts[i], "../../"+parts[i])
		if err == nil {
			_, err = part.Write([]byte(parts[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), "Content-Type: " + w.FormDataContentType()
}

func TestAvatars(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.putUser("ada")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	// It is accepted while nobody works, and followed to its end.
	body, kind := form(t, "image", string(picture(t, 300, red)), "user", "ada")
	r := p.do("POST", "/avatar", body, kind)
	var v struct{ Job, State, Follow string }
	if r.status != http.StatusAccepted {
		t.Fatalf("%d %s", r.status, r.body)
	}
	r.into(t, &v)
	if v.State != "queued" || v.Follow != "/jobs/"+v.Job {
		t.Errorf("%+v", v)
	}
	stream := p.events(ctx, v.Follow)
	await(t, stream, `"queued"`)
	p.work(2)
	await(t, stream, `"done"`)
	for e := range stream {
		t.Errorf("after the end: %+v", e)
	}
	var u struct{ Avatar string }
	p.do("GET", "/users/ada", "").into(t, &u)
	if u.Avatar != "/users/ada/avatar" {
		t.Errorf("%+v", u)
	}
	for _, side := range []string{"256", "64"} {
		r := p.do("GET", u.Avatar+"/"+side, "")
		if r.status != 200 || r.header.Get("Content-Type") != "image/jpeg" || r.header.Get("ETag") == "" {
			t.Errorf("%s: %d %v", side, r.status, r.header)
		}
		if again := p.do("GET", u.Avatar+"/"+side, "", "If-None-Match: "+r.header.Get("ETag")); again.status != 304 || again.body != "" {
			t.Errorf("asked again: %d", again.status)
		}
	}
	if c := p.avatarColor("ada"); !near(c, red) {
		t.Errorf("%v", c)
	}

	// A second one takes the place of the first; a change of the name leaves it alone.
	if j := p.awaitJob(p.upload("ada", picture(t, 30, blue))); j.State != "done" || j.User != "ada" || j.Avatar != u.Avatar {
		t.Errorf("%+v", j)
	}
	p.putUser("ada")
	if c := p.avatarColor("ada"); !near(c, blue) {
		t.Errorf("%v", c)
	}
	for end := 0; len(p.files()) != len(avatar.Sizes); end++ { // the upload is deleted after the job is said to be done
		if end > 1000 {
			t.Fatalf("left behind: %v", p.files())
		}
		_ = p.do("GET", "/users/ada", "")
	}
}

// Of two uploads the later one counts, though the earlier is handled last.
func TestTheLaterUploadCounts(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.putUser("ada")
	first := p.upload("ada", picture(t, 30, red))
	second := p.upload("ada", picture(t, 30, blue))
	ctx := context.Background()
	wait := "{" + p.prefix + "avatars}:wait"
	if err := p.rdb.LMove(ctx, wait, wait, "RIGHT", "LEFT").Err(); err != nil {
		t.Fatal(err)
	}
	p.work(1)
	for _, id := range []string{second, first} {
		if j := p.awaitJob(id); j.State != "done" {
			t.Errorf("%+v", j)
		}
	}
	if c := p.avatarColor("ada"); !near(c, blue) {
		t.Errorf("%v", c)
	}
}

func TestUploadsThatAreRefused(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.putUser("ada")
	good := string(picture(t, 40, red))
	bomb := good[:12] + "IHDR\x00\x01\x00\x00\x00\x01\x00\x00" + good[24:29] // 65536 pixels on each side
	bomb = string(binary.BigEndian.AppendUint32([]byte(bomb), crc32.ChecksumIEEE([]byte(bomb[12:])))) + good[33:]
	large := good + strings.Repeat("x", avatar.MaxBytes)
	const png = "Content-Type: image/png"
	for name, c := range map[string]struct {
		parts  []string // of a form, or
		body   string
		query  string
		kind   string
		status int
		code   string
	}{
		"text":               {nil, "hello", "?user=ada", png, 415, "image"},
		"SVG":                {nil, "<svg/>", "?user=ada", "Content-Type: image/svg+xml", 415, "image"},
		"nothing":            {nil, "", "?user=ada", png, 415, "image"},
		"a bomb":             {nil, bomb, "?user=ada", png, 422, "image"},
		"too large":          {nil, large, "?user=ada", png, 413, "size"},
		"no type":            {nil, good, "?user=ada", "", 415, "media_type"},
		"JSON":               {nil, good, "?user=ada", isJSON, 415, "media_type"},
		"compressed":         {nil, good, "?user=ada", png + "|Content-Encoding: gzip", 415, "content_encoding"},
		"no user":            {nil, good, "", png, 400, "id"},
		"a path for a user":  {nil, good, "?user=../../etc", png, 400, "id"},
		"an unknown user":    {nil, good, "?user=nobody", png, 404, "not_found"},
		"an unknown user 2":  {[]string{"image", good, "user", "nobody"}, "", "", "", 404, "not_found"},
		"a form, no user":    {[]string{"image", good}, "", "", "", 400, "form"},
		"a form, no image":   {[]string{"user", "ada"}, "", "", "", 400, "form"},
		"a form, two images": {[]string{"image", good, "image", good, "user", "ada"}, "", "", "", 400, "form"},
		"a form, two users":  {[]string{"user", "ada", "user", "ada", "image", good}, "", "", "", 400, "form"},
		"a form, more":       {[]string{"user", "ada", "admin", "1", "image", good}, "", "", "", 400, "form"},
		"a form, bad user":   {[]string{"image", good, "user", "a/b"}, "", "", "", 400, "id"},
		"a form, text":       {[]string{"user", "ada", "image", "hello"}, "", "", "", 415, "image"},
		"a form, too large":  {[]string{"user", "ada", "image", large}, "", "", "", 413, "size"},
		"a form cut off":     {nil, "--x\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\n" + good, "", "Content-Type: multipart/form-data; boundary=x", 400, "body"},
		"a form of nothing":  {nil, "", "", "Content-Type: multipart/form-data; boundary=x", 400, "form"},
		"no boundary":        {nil, good, "", "Content-Type: multipart/form-data", 415, "media_type"},
	} {
		body, headers := c.body, []string(nil)
		if c.parts != nil {
			var kind string
			body, kind = form(t, c.parts...)
			headers = append(headers, kind)
		}
		if c.kind != "" {
			headers = append(headers, strings.Split(c.kind, "|")...)
		}
		r, err := p.try("POST", "/avatar"+c.query, body, headers...)
		if err != nil && c.status == 413 {
			continue // the service has hung up on the rest, before the client read why
		}
		if err != nil || r.status != c.status || r.code() != c.code {
			t.Errorf("%s: %d %s, %v; want %d %s", name, r.status, r.body, err, c.status, c.code)
		}
	}
	if files := p.files(); len(files) != 0 {
		t.Errorf("left behind: %v", files)
	}
}

// What only the decoder finds out makes the job fail, with a reason and without another try.
func TestImagesThatAreNone(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.putUser("ada")
	good := picture(t, 40, red)
	damaged := append([]byte{}, good...)
	damaged[len(damaged)-20] ^= 0x55
	p.work(1)
	for name, data := range map[string][]byte{"damaged": damaged, "cut off": good[:len(good)-30]} {
		if j := p.awaitJob(p.upload("ada", data)); j.State != "failed" || !strings.Contains(j.Error, "not a PNG") || j.Avatar != "" {
			t.Errorf("%s: %+v", name, j)
		}
	}
	if r := p.do("GET", "/users/ada/avatar/64", ""); r.status != 404 {
		t.Errorf("%d", r.status)
	}
	// Tasks that are none, pushed by somebody else, do not stop the worker.
	wait := "{" + p.prefix + "avatars}:wait"
	if err := p.rdb.LPush(context.Background(), wait, "rubbish", "0 id {}", `0 id {"job":"../../x","user":"ada"}`).Err(); err != nil {
		t.Fatal(err)
	}
	if j := p.awaitJob(p.upload("ada", good)); j.State != "done" {
		t.Errorf("%+v", j)
	}
}
