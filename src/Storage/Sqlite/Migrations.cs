using System.Reflection;

namespace Millrace.Storage.Sqlite;

/// <summary>Brings the schema up to date: embedded scripts in the order of their names, each once, all in one transaction.</summary>
internal static class Migrations
{
    public static void Apply(SqliteSession session)
    {
        session.Execute("BEGIN IMMEDIATE"); // two processes that start together take turns
        try
        {
            session.Execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID");
            var assembly = Assembly.GetExecutingAssembly();
            foreach (var name in assembly.GetManifestResourceNames().Where(n => n.Contains(".Sqlite.Migrations.", StringComparison.Ordinal)).Order())
            {
                if (session.Execute("INSERT OR IGNORE INTO migrations (name) VALUES ($name)", ("$name", name)) == 0)
                    continue;
                using var script = new StreamReader(assembly.GetManifestResourceStream(name)!);
                session.Execute(script.ReadToEnd());
            }
            session.Execute("COMMIT");
        }
        catch
        {
            session.Execute("ROLLBACK");
            throw;
        }
    }
}
