package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// callTime bounds one request to the administration: a drain may take a minute.
const callTime = 2 * time.Minute

// errInterrupted says that this command was ended. Nothing is taken back.
var errInterrupted = errors.New("interrupted; what was asked for goes on")

// do makes one request. A body that is JSON text already is sent as it is.
func (c *client) do(ctx context.Context, method, path string, body, result any) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		reader = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, reader)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(request) // reports the end of ctx too
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return errInterrupted
	case ctx.Err() != nil:
		return fmt.Errorf("the gateway runs, but has not answered within %v; what was asked for may go on", callTime)
	case err != nil:
		return fmt.Errorf("the gateway does not answer; does it run? %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var refused struct {
			Error string `json:"error"`
		}
		if json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(&refused) != nil {
			refused.Error = resp.Status
		}
		return fmt.Errorf("refused: %s", refused.Error)
	}
	if result == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(result)
}

// show prints an answer for people and programs.
func (c *client) show(ctx context.Context, path string, result any) error {
	if err := c.do(ctx, "GET", path, nil, result); err != nil {
		return err
	}
	encoder := json.NewEncoder(c.out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(result)
}
