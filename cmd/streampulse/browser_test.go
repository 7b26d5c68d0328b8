package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// browser is a headless Chromium with one page, driven by the DevTools protocol: requests and answers as JSON, each ended by a NUL,
// through two pipes.
type browser struct {
	t       *testing.T
	to      *os.File
	answers chan answer
	session string
	last    int
	faults  []string // what the page complained of
}

type answer struct {
	ID     int
	Method string // of an event
	Params json.RawMessage
	Result json.RawMessage
	Error  *struct{ Message string }
}

func openBrowser(t *testing.T, program string) *browser {
	t.Helper()
	itsIn, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, itsOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run",
		"--disable-dev-shm-usage", "--disable-background-networking", "--force-device-scale-factor=1", "--user-data-dir="+t.TempDir(), "about:blank")
	cmd.ExtraFiles = []*os.File{itsIn, itsOut}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = itsIn.Close(), itsOut.Close()
	b := &browser{t: t, to: in, answers: make(chan answer, 1000)}
	go func() {
		defer close(b.answers)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 64<<20)
		lines.Split(func(data []byte, atEOF bool) (int, []byte, error) {
			if i := bytes.IndexByte(data, 0); i >= 0 {
				return i + 1, data[:i], nil
			}
			return 0, nil, nil
		})
		for lines.Scan() {
			var a answer
			if json.Unmarshal(lines.Bytes(), &a) == nil {
				b.answers <- a
			}
		}
	}()
	t.Cleanup(func() {
		_, _ = fmt.Fprintf(in, `{"id":%d,"method":"Browser.close"}`+"\x00", 1<<30)
		timer := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
		for range b.answers {
			continue
		}
		_ = cmd.Wait() // how it ends is its own affair
		_, _ = in.Close(), out.Close()
	})
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "DOM"} {
		b.call(domain+".enable", nil, nil)
	}
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": 1160, "height": 840, "deviceScaleFactor": 1, "mobile": false}, nil)
	return b
}

// call waits for the answer to a request.
func (b *browser) call(method string, params map[string]any, into any) {
	b.t.Helper()
	b.last++
	m := map[string]any{"id": b.last, "method": method}
	if params != nil {
		m["params"] = params
	}
	if b.session != "" {
		m["sessionId"] = b.session
	}
	text, err := json.Marshal(m)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		b.t.Fatalf("the browser has gone: %v", err)
	}
	for deadline := time.After(patience); ; {
		select {
		case a, ok := <-b.answers:
			switch {
			case !ok:
				b.t.Fatal("the browser has gone")
			case a.Method == "Runtime.exceptionThrown", a.Method == "Log.entryAdded" && !bytes.Contains(a.Params, []byte(`"source":"network"`)):
				b.faults = append(b.faults, string(a.Params))
			case a.ID != b.last:
			case a.Error != nil:
				b.t.Fatalf("%s: %s", method, a.Error.Message)
			default:
				if into != nil {
					if err := json.Unmarshal(a.Result, into); err != nil {
						b.t.Fatalf("%s: %v in %s", method, err, a.Result)
					}
				}
				return
			}
		case <-deadline:
			b.t.Fatalf("%s: no answer", method)
		}
	}
}

// eval returns the value of an expression on the page, as text.
func (b *browser) eval(expression string) string {
	b.t.Helper()
	var v struct {
		Result struct{ Value any }
		Fault  json.RawMessage `json:"exceptionDetails"`
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &v)
	if v.Fault != nil {
		b.t.Fatalf("%s: %s", expression, v.Fault)
	}
	return fmt.Sprint(v.Result.Value)
}

// await waits until an expression has a value.
func (b *browser) await(expression, want string) {
	b.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		got := b.eval(expression)
		if got == want {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("%s is %q, not %q; the page:\n%s", expression, got, want, b.eval("document.body.innerText"))
		}
	}
}

// shoot keeps a picture of the page, when STREAMPULSE_SCREENSHOTS names a folder.
func (b *browser) shoot(name string) {
	b.t.Helper()
	var shot struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	data, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil || !bytes.HasPrefix(data, []byte("\x89PNG")) {
		b.t.Fatalf("a screenshot of %d bytes: %v", len(data), err)
	}
	if dir := os.Getenv("STREAMPULSE_SCREENSHOTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name+".png"), data, 0o600); err != nil {
			b.t.Error(err)
		}
	}
}

const rowOf = `document.querySelector('[data-post="%s"] .%s')?.textContent`

// The page in a browser: it shows what there is, and what happens elsewhere as it happens; its buttons and its form work; it
// says when it has lost the service, and comes back.
func TestPage(t *testing.T) {
	chromium := os.Getenv("CHROMIUM")
	if chromium == "" {
		t.Skip("CHROMIUM names no browser")
	}
	dir := filepath.Join(t.TempDir(), "data")
	args := []string{"--embedded", "--data", dir, "--trust-proxy", "127.0.0.0/8", "--listen"}
	p := start(t, append(args, "127.0.0.1:0")...)
	for i, post := range []string{
		"sunrise-over-the-bay", "first-marathon", "sourdough-day-12", "go-1-26-notes", "kittens", "tiny-desk-setup",
		"north-sea-swim", "lego-space-shuttle", "late-night-ramen", "garden-in-may",
	} {
		for user := range 31 - 3*i + i*i%3 {
			p.likeFrom(fmt.Sprint("192.0.2.", user), post, fmt.Sprint("user", user))
		}
	}

	b := openBrowser(t, chromium)
	b.call("Page.navigate", map[string]any{"url": p.url + "/"}, nil)
	b.await(`document.getElementById("live")?.textContent`, "live")
	b.await(`document.querySelectorAll("#board li").length`, "10")
	b.await(`document.querySelector("#board li .post").textContent`, "sunrise-over-the-bay")
	before := b.eval(fmt.Sprintf(rowOf, "kittens", "count"))
	rank := b.eval(fmt.Sprintf(rowOf, "kittens", "rank"))

	// Somebody else likes something.
	for i := range 20 {
		p.likeFrom(fmt.Sprint("198.51.100.", i), "kittens", fmt.Sprint("other", i))
	}
	var had int
	if _, err := fmt.Sscan(before, &had); err != nil {
		t.Fatal(err)
	}
	b.await(fmt.Sprintf(rowOf, "kittens", "count"), fmt.Sprint(had+20))
	b.await(fmt.Sprintf(rowOf, "kittens", "rank"), "1")
	if rank == "1" {
		t.Error("it was at the top before")
	}

	// So does who sits before the page.
	b.eval(`document.querySelector("#like [name=user]").value = "ada"`)
	b.eval(`document.querySelector('[data-post="kittens"] .heart').click()`)
	b.await(fmt.Sprintf(rowOf, "kittens", "count"), fmt.Sprint(had+21))
	b.await(`document.getElementById("liked").textContent`, fmt.Sprint(had+21, " like kittens"))

	// A picture goes up, and the one that was made of it comes back.
	file := filepath.Join(t.TempDir(), "picture.png")
	if err := os.WriteFile(file, sunrise(t), 0o600); err != nil {
		t.Fatal(err)
	}
	var doc struct{ Root struct{ NodeID int } }
	b.call("DOM.getDocument", nil, &doc)
	var input struct{ NodeID int }
	b.call("DOM.querySelector", map[string]any{"nodeId": doc.Root.NodeID, "selector": "#picture [name=image]"}, &input)
	b.call("DOM.setFileInputFiles", map[string]any{"nodeId": input.NodeID, "files": []string{file}}, nil)
	b.eval(`document.querySelector("#picture [name=name]").value = "Ada Lovelace"`)
	b.eval(`document.querySelector("#picture button").click()`)
	b.await(`document.getElementById("job").textContent`, "done")
	b.await(`document.getElementById("avatar").naturalWidth`, "64")
	b.await(`document.querySelectorAll("#board li.up").length`, "0")
	b.shoot("light")
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": "dark"}}}, nil)
	b.await(`document.getAnimations().filter((a) => a.effect.getComputedTiming().iterations === 1).length`, "0")
	b.shoot("dark")

	// What is wrong is said.
	b.eval(`document.querySelector("#like [name=post]").value = "no post"`)
	b.eval(`document.querySelector("#like button").click()`)
	b.await(`document.getElementById("liked").className`, "bad")

	// The service restarts.
	addr := strings.TrimPrefix(p.url, "http://")
	p.terminate()
	b.await(`document.getElementById("live").textContent`, "reconnecting")
	p = start(t, append(args, addr)...)
	b.await(`document.getElementById("live").textContent`, "live")
	p.likeFrom("203.0.113.1", "kittens", "somebody-new")
	b.await(fmt.Sprintf(rowOf, "kittens", "count"), fmt.Sprint(had+22))

	b.call("Page.navigate", map[string]any{"url": p.url + "/users/ada"}, nil)
	b.await(`document.getElementById("name")?.textContent`, "Ada Lovelace")
	b.await(`document.querySelector("img.avatar").naturalWidth`, "256")
	b.shoot("user")
	for _, fault := range b.faults {
		t.Errorf("the page complained: %s", fault)
	}
}

// sunrise is a picture that can be looked at.
func sunrise(t *testing.T) []byte {
	t.Helper()
	const side = 320
	m := image.NewRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			c := color.RGBA{uint8(255 - y/4), uint8(110 + y/3), uint8(120 - y/4), 255}
			switch dx, dy := x-side/2, y-side*5/8; {
			case y > side*5/8+x%40/8:
				c = color.RGBA{20, uint8(60 + (side-y)/3), 110, 255}
			case dx*dx+dy*dy < 70*70:
				c = color.RGBA{255, 235, 160, 255}
			}
			m.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// likeFrom is a like from an address, so that all of them together are within the limit.
func (p *program) likeFrom(addr, post, user string) {
	p.t.Helper()
	req, err := http.NewRequest("POST", p.url+"/posts/"+post+"/like", strings.NewReader(`{"user":"`+user+`"}`))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Forwarded-For", addr)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != 200 {
		p.t.Fatalf("like from %s: %d", addr, res.StatusCode)
	}
}
