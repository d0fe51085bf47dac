using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Options;
using Millrace.Hosting.Configuration;
using Millrace.Storage;

namespace Millrace.Hosting.Startup;

/// <summary>Failures at start that the operator can mend, each as one line that names what to change.</summary>
internal static class StartupFailure
{
    private const string Addresses = "Millrace:Http:Url, Millrace:Grpc:Url or Millrace:Management:Url";

    public static string? Explain(Exception error) => error switch
    {
        StartupException own => own.Message,
        OptionsValidationException settings => string.Join("; ", settings.Failures),
        StoreUnavailableException store => $"Millrace:Store:Path: {store.Message}",
        IOException { InnerException: AddressInUseException } => $"{Addresses}: {error.Message} Another process listens there; choose another port.",
        SocketException socket => $"{Addresses}: can't listen there: {socket.Message}",
        IOException { InnerException: SocketException socket } => $"{Addresses}: can't listen there: {socket.Message}",
        AggregateException several => several.InnerExceptions.Select(Explain).FirstOrDefault(line => line is not null),
        { InnerException: { } inner } => Explain(inner),
        _ => null,
    };
}
