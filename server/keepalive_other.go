//go:build !linux

package server

import "net"

// inherit tells that connections are not known to take options from the socket that they were accepted from.
func inherit(net.Listener, int64) bool { return false }

// listenKeepAlive is for net.ListenConfig: its default, for those connections that keepAlive does not see.
const listenKeepAlive = 0
