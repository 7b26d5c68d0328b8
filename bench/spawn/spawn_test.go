package spawn_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/streampulse/pulse/bench/spawn"
)

const playVar = "SPAWN_TEST_PLAY"

// The test binary plays the servers: started with playVar set, it behaves as that says.
func TestMain(m *testing.M) {
	switch os.Getenv(playVar) {
	case "":
		os.Exit(m.Run())
	case "refuse":
		fmt.Println("cannot read the configuration")
		os.Exit(3)
	case "serve":
		serve()
	}
}

// serve answers PONG to everything on the port in its arguments, until it is told to end.
func serve() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	i := slices.Index(os.Args, "--port")
	ln, err := net.Listen("tcp", "127.0.0.1:"+os.Args[i+1])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("+PONG\r\n"))
			_ = c.Close()
		}
	}()
	<-ended
}

func TestStartAndStop(t *testing.T) {
	t.Setenv(playVar, "serve")
	p, err := spawn.Start(context.Background(), t.TempDir(), []string{os.Args[0], "extra"})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Alive(); err != nil {
		t.Error(err)
	}
	for range 2 { // stopping twice is harmless
		if err := p.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if p.Alive() == nil {
		t.Error("a stopped process is alive")
	}
	if err := syscall.Kill(p.PID, 0); err == nil {
		t.Errorf("process %d still runs", p.PID)
	}
}

func TestStartSaysWhyTheServerEnded(t *testing.T) {
	t.Setenv(playVar, "refuse")
	_, err := spawn.Start(context.Background(), t.TempDir(), []string{os.Args[0]})
	if err == nil || !strings.Contains(err.Error(), "cannot read the configuration") {
		t.Errorf("Start returned %v", err)
	}
}

func TestStartWithoutAProgram(t *testing.T) {
	for _, command := range [][]string{nil, {"no-such-program-anywhere"}} {
		if _, err := spawn.Start(context.Background(), t.TempDir(), command); err == nil {
			t.Errorf("Start(%v) passed", command)
		}
	}
	if spawn.Have("no-such-program-anywhere") {
		t.Error("a program that does not exist is there")
	}
}
