package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/valyala/fasthttp"
)

// How long one request may take.
const patience = 30 * time.Second

// client makes requests over connections that it keeps, one for each worker.
type client interface {
	// Makes one request and gives the whole answer, which has to be a success.
	call(ctx context.Context, method, address string, body []byte) ([]byte, error)
	// Gives the connections up.
	leave()
}

// dial makes a client.
type dial func(s settings) client

// standard is Go's own client, which nearly every user has. It takes more of the processors than the server does.
type standard struct{ http.Client }

func netHTTP(s settings) client {
	return &standard{http.Client{
		Timeout: patience,
		Transport: &http.Transport{
			MaxIdleConns:        s.clients,
			MaxIdleConnsPerHost: s.clients,
			DisableCompression:  true,
		},
	}}
}

func (c *standard) leave() { c.CloseIdleConnections() }

func (c *standard) call(ctx context.Context, method, address string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	return success(method, address, response.StatusCode, answer)
}

// lean is a client made for speed, as those of Redis and etcd are: more of the processors is left to the server.
type lean struct{ fasthttp.Client }

func fastHTTP(s settings) client {
	return &lean{fasthttp.Client{
		MaxConnsPerHost:               s.clients,
		ReadTimeout:                   patience,
		WriteTimeout:                  patience,
		NoDefaultUserAgentHeader:      true,
		DisableHeaderNamesNormalizing: true,
		DisablePathNormalizing:        true,
	}}
}

func (c *lean) leave() { c.CloseIdleConnections() }

// Cancelling comes into effect between requests only: the client knows no context.
func (c *lean) call(_ context.Context, method, address string, body []byte) ([]byte, error) {
	request, response := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(request)
	defer fasthttp.ReleaseResponse(response)
	request.Header.SetMethod(method)
	request.SetRequestURI(address)
	if body != nil {
		request.Header.SetContentType("application/json")
		request.SetBodyRaw(body)
	}
	if err := c.Do(request, response); err != nil {
		return nil, err
	}
	return success(method, address, response.StatusCode(), bytes.Clone(response.Body()))
}

func success(method, address string, status int, answer []byte) ([]byte, error) {
	if status < 200 || status > 299 {
		return nil, fmt.Errorf("%s %s: %d: %s", method, address, status, bytes.TrimSpace(answer))
	}
	return answer, nil
}
