package proto

import (
	"bufio"
	"crypto/tls"
	"net"
)

// Client is a connection to a server. It sends requests and reads replies, one by one.
type Client struct {
	nc net.Conn
	rd *bufio.Reader
}

// Dial connects to a server.
func Dial(addr string) (*Client, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return NewClient(nc), nil
}

// DialTLS is Dial with TLS.
func DialTLS(addr string, cfg *tls.Config) (*Client, error) {
	nc, err := tls.Dial("tcp", addr, cfg)
	if err != nil {
		return nil, err
	}
	return NewClient(nc), nil
}

// NewClient returns a Client for a connection, which it closes in the end.
func NewClient(c net.Conn) *Client { return &Client{c, bufio.NewReader(c)} }

// Close closes the connection.
func (c *Client) Close() error { return c.nc.Close() }

// Do sends a request and returns the bytes of its reply.
func (c *Client) Do(cmd ...string) (string, error) {
	if err := Write(c.nc, cmd); err != nil {
		return "", err
	}
	return c.Read()
}

// DoStrings is Do and ReadStrings.
func (c *Client) DoStrings(cmd ...string) ([]string, error) {
	b, err := c.Do(cmd...)
	if err != nil {
		return nil, err
	}
	return ReadStrings(b)
}

// Read returns the bytes of what the server sends next.
func (c *Client) Read() (string, error) { return Read(c.rd) }
