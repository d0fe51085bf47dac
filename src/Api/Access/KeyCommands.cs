using System.CommandLine;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Millrace.Api.Errors;
using Millrace.Hosting.Configuration;
using Millrace.Hosting.Servers;
using Millrace.Hosting.Startup;
using Millrace.Storage.Access;
using Millrace.Storage.Audit;

namespace Millrace.Api.Access;

/// <summary><c>keys create|list|revoke</c> at the command line: straight on the store that the settings name, with or without a server running.</summary>
public static class KeyCommands
{
    /// <summary>True when the arguments are for us, not for the server.</summary>
    public static bool Match(string[] args) => args is ["keys", ..];

    public static Task<int> RunAsync(string[] args)
    {
        var settings = args.Where(IsSetting).ToArray();
        var root = new RootCommand("Millrace") { Keys(settings) };
        return root.Parse(args.Where(a => !IsSetting(a)).ToArray()).InvokeAsync();
    }

    private static bool IsSetting(string arg) => arg.StartsWith("--Millrace:", StringComparison.OrdinalIgnoreCase) || arg.StartsWith("--Logging:", StringComparison.OrdinalIgnoreCase);

    private static Command Keys(string[] settings)
    {
        var command = new Command("keys", "Make, list and revoke the keys that callers show. Settings (--Millrace:Store:Url=…, or the environment) say in which store.");
        command.Subcommands.Add(Create(settings));
        command.Subcommands.Add(List(settings));
        command.Subcommands.Add(Revoke(settings));
        return command;
    }

    private static Command Create(string[] settings)
    {
        var name = new Option<string>("--name") { Description = "For people: 1 to 100 characters", Required = true };
        var roles = new Option<string>("--roles") { Description = "Any of submit, read, operate, admin, by commas; none includes another", DefaultValueFactory = _ => "submit,read" };
        var tenant = new Option<string>("--tenant") { Description = "Whose jobs it sees", DefaultValueFactory = _ => Caller.DefaultTenant };
        var expires = new Option<double?>("--expires-in-days") { Description = "It ends by itself after so many days; never when left out" };
        var requests = new Option<int?>("--requests") { Description = "Its own limit of requests in a window, instead of the default" };
        var command = new Command("create", "Make a key and print it, once, as the only line of standard output") { name, roles, tenant, expires, requests };
        command.SetAction((parsed, cancellation) => WithStoreAsync(settings, async keys =>
        {
            var request = new KeyRequest
            {
                Name = parsed.GetValue(name)!,
                Tenant = parsed.GetValue(tenant)!,
                Roles = parsed.GetValue(roles)!.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
                ExpiresIn = parsed.GetValue(expires) * 86_400,
                Requests = parsed.GetValue(requests),
            };
            var (key, text) = NewKeys.Make(request);
            var made = await keys.AddAsync(key, Audit(key.Tenant, "key.create", key.Id) with { Detail = $"{key.Tenant}: {RoleNames.Text(key.Roles)}" }, cancellation);
            await Console.Error.WriteLineAsync($"Key {made.Id} of tenant {made.Tenant} with the roles {RoleNames.Text(made.Roles)}. It is shown this once; servers know it within a second.");
            Console.WriteLine(text);
        }));
        return command;
    }

    private static Command List(string[] settings)
    {
        var command = new Command("list", "List all keys, without the keys themselves");
        command.SetAction((_, cancellation) => WithStoreAsync(settings, async keys =>
        {
            foreach (var key in await keys.ReadChangedAsync(0, cancellation))
                Console.WriteLine($"{key.Id}  {State(key),-24}  {key.Tenant,-16}  {RoleNames.Text(key.Roles),-28}  {key.Name}");
        }));
        return command;
    }

    private static Command Revoke(string[] settings)
    {
        var id = new Argument<string>("id") { Description = "The letters after mr_, as list shows them" };
        var command = new Command("revoke", "Revoke a key for good") { id };
        command.SetAction((parsed, cancellation) => WithStoreAsync(settings, async keys =>
        {
            var outcome = await keys.RevokeAsync(parsed.GetValue(id)!, Audit(Caller.DefaultTenant, "key.revoke", parsed.GetValue(id)!), cancellation);
            Console.WriteLine(outcome switch
            {
                RevokeOutcome.Revoked => "Revoked. Servers know it within a second.",
                RevokeOutcome.LastAdmin => throw new StartupException("this is the last key with the role admin; make another one first"),
                _ => throw new StartupException("there is no key of this id"),
            });
        }));
        return command;
    }

    private static Task<int> WithStoreAsync(string[] settings, Func<IKeyStore, Task> use) => MillraceHost.RunCommandAsync(async () =>
    {
        var builder = MillraceHost.CreateBuilder(settings, "keys");
        builder.Logging.ClearProviders(); // standard output has the key, and nothing else
        builder.Services.AddMillraceStore(builder.Configuration);
        await using var app = builder.Build();
        await app.Services.PrepareStoreAsync(CancellationToken.None);
        try { await use(app.Services.GetRequiredService<IKeyStore>()); }
        catch (RefusedException refused) { throw new StartupException(refused.Message, refused); }
    });

    private static AuditEntry Audit(string tenant, string action, string target) => new("cli", tenant, action, target, null);

    private static string State(ApiKey key) => key.RevokedAt is not null ? "revoked" : key.ExpiresAt is { } end
        ? $"until {end.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture)}" : "valid";
}
