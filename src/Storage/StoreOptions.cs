namespace Millrace.Storage;

/// <summary>Where jobs are kept.</summary>
public sealed class StoreOptions
{
    /// <summary>Folder of the SQLite database. Default <c>./data</c>; made when missing.</summary>
    public string Path { get; set; } = "./data";

    /// <summary>Address of a PostgreSQL database, as <c>postgres://user:password@host:5432/database?schema=public</c>. Default empty: SQLite under <see cref="Path"/>.</summary>
    public string Url { get; set; } = "";

    /// <summary>Most connections of this process to the database server. Default 20; 2 to 500.</summary>
    public int MaxConnections { get; set; } = 20;

    /// <summary>Start although the database server would lose what it has committed when its machine fails. Default false.</summary>
    public bool AllowNotDurable { get; set; }

    /// <summary>Most unclaimed jobs of one model that have a ticket in the broker; the rest waits in the store. Default 1000; 1 to 100,000.</summary>
    public int Window { get; set; } = 1000;
}
