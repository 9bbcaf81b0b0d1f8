// A MongoDB-compatible server for tests: FerretDB 1 on SQLite files, one writing command at a time.
//
// FerretDB reads a document, changes it in memory and writes it back, so two conditional updates of one document can
// both find their condition true. MongoDB promises that one of them does not. The queue in front of it makes that
// promise good: a writing command begins when the one before has been answered. Reading ones need not wait, for a document
// is written in one statement.
//
// Arguments: port, data folder. Writes "ready" when it listens on 127.0.0.1.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/FerretDB/FerretDB/ferretdb"
)

const (
	headerBytes  = 16
	maxBytes     = 64 << 20
	opMsg        = 2013
	moreToCome   = 1 << 1
	readAhead    = 64 << 10
	startTimeout = 20 * time.Second
)

func main() {
	if len(os.Args) != 3 {
		fail(fmt.Errorf("arguments: port, data folder"))
	}
	port, folder := os.Args[1], os.Args[2]
	socket := filepath.Join(folder, "inner.sock")
	_ = os.Remove(socket)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	quiet := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	server, err := ferretdb.New(&ferretdb.Config{
		Listener: ferretdb.ListenerConfig{Unix: socket},
		Logger:   quiet,
		Handler:  "sqlite",
		// What was written outlives the end of this process, and need not outlive that of the machine.
		SQLiteURL: "file:" + folder + "/?_pragma=synchronous(off)",
	})
	fail(err)
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	fail(err)
	go func() {
		<-ctx.Done()
		_ = listener.Close()
	}()
	ended := make(chan struct{})
	go func() {
		_ = server.Run(ctx)
		close(ended)
	}()
	fail(answers(socket))
	fmt.Println("ready")
	accept(listener, socket)
	// Clients keep their connections open for as long as they like; nothing is lost by not waiting for them.
	select {
	case <-ended:
	case <-time.After(2 * time.Second):
	}
}

func accept(listener net.Listener, socket string) {
	var turn sync.Mutex
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer client.Close()
			inner, err := net.Dial("unix", socket)
			if err != nil {
				return
			}
			defer inner.Close()
			_ = serve(client, inner, &turn)
		}()
	}
}

// serve passes the commands of one client on, each while it holds the turn. It ends with the first error.
func serve(client, inner net.Conn, turn *sync.Mutex) error {
	fromClient, fromInner := bufio.NewReaderSize(client, readAhead), bufio.NewReaderSize(inner, readAhead)
	for {
		command, err := message(fromClient)
		if err != nil {
			return err
		}
		answer, err := inTurn(command, inner, fromInner, turn)
		if err != nil {
			return err
		}
		if _, err = client.Write(answer); err != nil {
			return err
		}
	}
}

func inTurn(command []byte, inner net.Conn, fromInner *bufio.Reader, turn *sync.Mutex) ([]byte, error) {
	if !onlyReads(command) {
		turn.Lock()
		defer turn.Unlock()
	}
	if _, err := inner.Write(command); err != nil {
		return nil, err
	}
	if unanswered(command) {
		return nil, nil
	}
	return message(fromInner)
}

// message reads one message of MongoDB's wire protocol: its length stands in its first four bytes.
func message(from *bufio.Reader) ([]byte, error) {
	header, err := from.Peek(headerBytes)
	if err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint32(header)
	if length < headerBytes || length > maxBytes {
		return nil, fmt.Errorf("a message of %d bytes", length)
	}
	whole := make([]byte, length)
	_, err = io.ReadFull(from, whole)
	return whole, err
}

// reading are the commands that change no document and make no collection.
var reading = map[string]bool{
	"hello": true, "isMaster": true, "ismaster": true, "ping": true, "buildInfo": true, "endSessions": true,
	"find": true, "getMore": true, "killCursors": true, "aggregate": true, "count": true,
}

// onlyReads tells by the name of a command, which is the first name in the document of its first section.
func onlyReads(command []byte) bool {
	const name = headerBytes + 4 + 1 + 4 + 1
	if len(command) < name || binary.LittleEndian.Uint32(command[12:]) != opMsg || command[headerBytes+4] != 0 {
		return false
	}
	end := bytes.IndexByte(command[name:], 0)
	return end > 0 && reading[string(command[name:name+end])]
}

// unanswered tells a command whose sender wants no answer (OP_MSG, flag moreToCome).
func unanswered(command []byte) bool {
	return len(command) >= headerBytes+4 &&
		binary.LittleEndian.Uint32(command[12:]) == opMsg &&
		binary.LittleEndian.Uint32(command[16:])&moreToCome != 0
}

func answers(socket string) error {
	deadline := time.Now().Add(startTimeout)
	for {
		connection, err := net.Dial("unix", socket)
		if err == nil {
			return connection.Close()
		}
		if time.Now().After(deadline) {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
