using Npgsql;

namespace Millrace.Storage.Postgres;

/// <summary>Reads <c>postgres://user:password@host:port/database?schema=name&amp;SSL Mode=Require</c>; what stands after the question mark, but for schema, is Npgsql's.</summary>
public static class PostgresAddress
{
    /// <exception cref="FormatException">It can't be read; the message says what would be right.</exception>
    public static NpgsqlConnectionStringBuilder Parse(string url)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var address) || address.Scheme is not ("postgres" or "postgresql") || address.Host.Length == 0)
            throw new FormatException("it is not an address like postgres://user:password@host:5432/database");
        var user = address.UserInfo.Split(':', 2);
        var connection = new NpgsqlConnectionStringBuilder
        {
            Host = address.Host,
            Port = address.Port > 0 ? address.Port : 5432,
            Username = user[0].Length > 0 ? Uri.UnescapeDataString(user[0]) : "postgres",
            Database = address.AbsolutePath.Trim('/') is { Length: > 0 } name ? Uri.UnescapeDataString(name) : "postgres",
        };
        if (user.Length == 2)
            connection.Password = Uri.UnescapeDataString(user[1]);
        foreach (var pair in address.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = pair.Split('=', 2).Select(Uri.UnescapeDataString).ToArray();
            if (parts is not [var key, var value])
                throw new FormatException($"'{pair}' is not of the form name=value");
            try { connection[key == "schema" ? "Search Path" : key] = value; }
            catch (Exception error) when (error is ArgumentException or KeyNotFoundException or FormatException) { throw new FormatException($"'{key}' can't be set to '{value}': {error.Message}", error); }
        }
        return connection;
    }
}
