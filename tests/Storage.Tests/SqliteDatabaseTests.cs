using System.Reflection;
using Microsoft.Data.Sqlite;
using Millrace.Storage.Sqlite;
using Millrace.Tests.Support;

namespace Millrace.Storage.Tests;

/// <summary>Opening the database: settings that keep what is accepted, and one exception for what can't be used.</summary>
public sealed class SqliteDatabaseTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string File => Path.Combine(_folder.Path, "millrace.db");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Given_an_open_database_When_its_connections_are_asked_Then_every_commit_is_synced_to_a_write_ahead_log()
    {
        await using var database = SqliteDatabase.Open(_folder.Path);
        Assert.Equal(("wal", 2L), Pragmas(await AskAsync<SqliteConnection>(database, "WriteAsync")));
        Assert.Equal(("wal", 2L), Pragmas(await AskAsync<SqliteConnection>(database, "Read")));
    }

    [Fact]
    public async Task Given_a_folder_that_is_missing_When_opened_Then_it_is_made_and_opening_again_changes_nothing()
    {
        var folder = Path.Combine(_folder.Path, "a", "b");
        await using (SqliteDatabase.Open(folder)) { }
        await using (SqliteDatabase.Open(folder)) { }
        Assert.True(System.IO.File.Exists(Path.Combine(folder, "millrace.db")));
    }

    [Fact]
    public async Task Given_two_that_open_a_new_database_at_once_When_both_are_open_Then_neither_failed()
    {
        var databases = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => SqliteDatabase.Open(_folder.Path))));
        foreach (var database in databases)
            await database.DisposeAsync();
    }

    [Fact]
    public void Given_a_file_where_the_folder_should_be_When_opened_Then_the_store_is_unavailable_and_says_which_file()
    {
        System.IO.File.WriteAllText(Path.Combine(_folder.Path, "taken"), "");
        var folder = Path.Combine(_folder.Path, "taken", "data");
        Assert.Contains(folder, Assert.Throws<StoreUnavailableException>(() => SqliteDatabase.Open(folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Given_a_folder_where_the_file_should_be_When_opened_Then_the_store_is_unavailable()
    {
        Directory.CreateDirectory(File);
        Assert.Throws<StoreUnavailableException>(() => SqliteDatabase.Open(_folder.Path));
    }

    [Fact]
    public void Given_a_file_that_is_no_database_When_opened_Then_the_store_is_unavailable()
    {
        System.IO.File.WriteAllText(File, string.Concat(Enumerable.Repeat("This is not a database. ", 1000)));
        Assert.Throws<StoreUnavailableException>(() => SqliteDatabase.Open(_folder.Path));
    }

    [Fact]
    public async Task Given_a_closed_database_When_written_Then_the_store_is_unavailable()
    {
        var database = SqliteDatabase.Open(_folder.Path);
        var secrets = new SqliteSecretStore(database);
        await database.DisposeAsync();
        await Assert.ThrowsAsync<StoreUnavailableException>(() => secrets.ReadOrCreateAsync("x", TestContext.Current.CancellationToken));
    }

    /// <summary>The settings belong to a connection, and the store's own are internal: reflection fetches one.</summary>
    private static async Task<T> AskAsync<T>(SqliteDatabase database, string method) where T : class
    {
        const BindingFlags inside = BindingFlags.Instance | BindingFlags.NonPublic;
        Func<object, T> fetch = session => (T)session.GetType().GetFields(inside).Single(f => f.FieldType == typeof(T)).GetValue(session)!;
        var call = typeof(SqliteDatabase).GetMethod(method, inside)!.MakeGenericMethod(typeof(T));
        object?[] arguments = method == "Read" ? [fetch] : [fetch, TestContext.Current.CancellationToken];
        return call.Invoke(database, arguments) switch
        {
            Task<T> task => await task,
            var result => (T)result!,
        };
    }

    private static (string?, object?) Pragmas(SqliteConnection connection)
    {
        using var mode = new SqliteCommand("PRAGMA journal_mode", connection);
        using var synchronous = new SqliteCommand("PRAGMA synchronous", connection);
        return (mode.ExecuteScalar() as string, synchronous.ExecuteScalar());
    }
}
