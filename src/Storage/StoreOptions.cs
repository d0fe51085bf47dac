namespace Millrace.Storage;

/// <summary>Where jobs are kept.</summary>
public sealed class StoreOptions
{
    /// <summary>Folder of the SQLite database. Default <c>./data</c>; made when missing.</summary>
    public string Path { get; set; } = "./data";

    /// <summary>Address of a database server. Default empty: SQLite under <see cref="Path"/>.</summary>
    public string Url { get; set; } = "";

    /// <summary>Most unclaimed jobs of one model that have a ticket in the broker; the rest waits in the store. Default 1000; 1 to 100,000.</summary>
    public int Window { get; set; } = 1000;
}
