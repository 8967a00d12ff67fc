// A goroutine for each connection. Built by the comparison with `go build` if there is a Go toolchain.
//
// Usage: server echo|request WORKERS ROUNDS
package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"runtime"
	"strconv"
	"time"
)

const (
	buffer = 1024
	prefix = 4
	pause  = time.Millisecond
)

var rounds uint64

func main() {
	workers, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	if rounds, err = strconv.ParseUint(os.Args[3], 10, 64); err != nil {
		log.Fatal(err)
	}
	runtime.GOMAXPROCS(workers)
	handler := map[string]func(net.Conn) error{"echo": echo, "request": request}[os.Args[1]]
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr())
	for {
		conn, err := listener.Accept() // It comes with TCP_NODELAY.
		if err != nil {
			log.Fatal(err)
		}
		go handler(conn)
	}
}

// handler: echo
func echo(conn net.Conn) error {
	defer conn.Close()
	buf := make([]byte, buffer)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return err
		}
		if _, err := conn.Write(buf[:n]); err != nil {
			return err
		}
	}
}

// end

// handler: request
func request(conn net.Conn) error {
	defer conn.Close()
	reader := bufio.NewReaderSize(conn, buffer)
	frame := make([]byte, buffer)
	for {
		if _, err := io.ReadFull(reader, frame[:prefix]); err != nil {
			return err
		}
		length, err := bodyLength(frame)
		if err != nil {
			return err
		}
		body := frame[prefix : prefix+length]
		if _, err := io.ReadFull(reader, body); err != nil {
			return err
		}
		compute(body)
		if asksForPause(body) {
			time.Sleep(pause)
		}
		if _, err := conn.Write(frame[:prefix+length]); err != nil {
			return err
		}
	}
}

// end

// What follows is request.rs in Go.

func bodyLength(frame []byte) (int, error) {
	length := binary.BigEndian.Uint32(frame)
	if length < 17 || length > buffer-prefix {
		return 0, errors.New("no body is that long")
	}
	return int(length), nil
}

func asksForPause(body []byte) bool { return body[0] != 0 }

func compute(body []byte) {
	x := binary.BigEndian.Uint64(body[1:])
	for i := uint64(0); i < rounds; i++ {
		x = (x^x>>32)*0xd6e8feb86659fd93 + 1
	}
	binary.BigEndian.PutUint64(body[len(body)-8:], x)
}
