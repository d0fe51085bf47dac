using Microsoft.Extensions.DependencyInjection;
using Millrace.Hosting.Configuration;
using Millrace.Hosting.Startup;

namespace Millrace.Hosting.Servers;

/// <summary><c>migrate</c>: brings the database's schema up to date and ends. Processes do it at their start too; a release does it once, before them.</summary>
public static class MigrateCommand
{
    public static bool Match(string[] args) => args is ["migrate", ..];

    public static Task<int> RunAsync(string[] args) => MillraceHost.RunCommandAsync(async () =>
    {
        var builder = MillraceHost.CreateBuilder(args[1..], "migrate");
        if (string.IsNullOrEmpty(builder.Configuration["Millrace:Store:Url"]))
            throw new StartupException("Millrace:Store:Url: not set; SQLite needs no migration of its own, name a PostgreSQL database");
        builder.Services.AddMillraceStore(builder.Configuration);
        await using var app = builder.Build();
        await Servers.WaitAsync(() => app.Services.PrepareStoreAsync(CancellationToken.None), app.Services.GetRequiredService<TimeProvider>());
        Console.WriteLine("The schema is up to date.");
    });
}
