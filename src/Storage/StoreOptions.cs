namespace Millrace.Storage;

/// <summary>Where jobs are kept.</summary>
public sealed class StoreOptions
{
    /// <summary>Folder of the SQLite database <c>millrace.db</c>; made when missing. It must be on a file system that keeps a write-ahead log.</summary>
    public string Path { get; set; } = "./data";

    /// <summary>Address of a PostgreSQL database (15 is what is tested), as <c>postgres://user:password@host:5432/database</c>. <c>?schema=name</c> keeps the tables in that schema; what else stands behind the question mark is passed to <see href="https://www.npgsql.org/doc/connection-string-parameters.html">Npgsql</see>, as <c>?SSL Mode=VerifyFull</c>. Empty: SQLite.</summary>
    public string Url { get; set; } = "";

    /// <summary>Most connections of this process to the database server. 2 to 500.</summary>
    public int MaxConnections { get; set; } = 20;

    /// <summary>Start although the database server has <c>fsync</c>, <c>full_page_writes</c> or <c>synchronous_commit</c> off, and so may lose jobs that were accepted.</summary>
    public bool AllowNotDurable { get; set; }

    /// <summary>Most unclaimed jobs of one model that have a ticket in the queue; the rest waits in the store. 1 to 100,000.</summary>
    public int Window { get; set; } = 1000;
}
