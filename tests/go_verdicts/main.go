// Logs in with the drivers that Mattermost contains, and prints what they say.
//
// Standard input has one data source in each line: the name of the driver, a space, and the DSN.
// Standard output has "accepted", or the driver's error.
package main

import (
	"bufio"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/lib/pq"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		driver, dsn, _ := strings.Cut(lines.Text(), " ")
		fmt.Println(verdict(driver, dsn))
	}
}

func verdict(driver, dsn string) string {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return err.Error()
	}
	defer db.Close()
	for range 50 {
		// The pool tries again, and hides the first error, where a connection is lost.
		err = db.Ping()
		if err == nil {
			return "accepted"
		}
		if !strings.Contains(err.Error(), "starting up") {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return strings.ReplaceAll(err.Error(), "\n", " ")
}
