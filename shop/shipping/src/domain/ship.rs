//! "Send this parcel": the point of no return of an order.

use shop_contracts::shipping::Ship;
use switchboard_core::Timestamp;
use switchboard_core::slot::murmur2;

use super::{Refusal, Shipment};

/// Sends a parcel. All names follow from the order, so that asking twice cannot send two.
///
/// # Errors
/// [`Refusal::CountryNotServed`].
pub fn decide(
    command: &Ship,
    is_served: impl Fn(&str) -> bool,
    now: Timestamp,
) -> Result<Shipment, Refusal> {
    let country = &command.ship_to.country;
    if !is_served(country) {
        return Err(Refusal::CountryNotServed);
    }
    Ok(Shipment {
        id: shipment_id(&command.order_id),
        order_id: command.order_id.clone(),
        user_id: command.user_id.clone(),
        tracking_number: tracking_number(&command.order_id, country),
        carrier: carrier(country).to_owned(),
        ship_to: command.ship_to.clone(),
        items: command.items.clone(),
        created_at: now,
    })
}

/// The id of an order's shipment.
pub fn shipment_id(order_id: &str) -> String {
    format!("shp-{order_id}")
}

fn tracking_number(order_id: &str, country: &str) -> String {
    let (high, low) = (murmur2(order_id.as_bytes()), murmur2(format!("{order_id}/").as_bytes()));
    format!("SB{high:08X}{low:08X}{country}")
}

fn carrier(country: &str) -> &'static str {
    match country {
        "AR" | "BR" | "CA" | "CL" | "CO" | "MX" | "PE" | "US" | "UY" => "Longhorn Parcel",
        "AU" | "IN" | "JP" | "KR" | "NZ" | "SG" | "TW" => "Kingfisher Air",
        "DK" | "FI" | "IS" | "NO" | "SE" => "Fjordpost",
        _ => "Meridian Express",
    }
}

#[cfg(test)]
mod tests {
    use shop_contracts::inventory::Item;
    use shop_contracts::shipping::ShipTo;

    use super::*;
    use crate::countries;

    fn ship(order_id: &str, country: &str) -> Ship {
        Ship {
            order_id: order_id.to_owned(),
            user_id: "ann".to_owned(),
            ship_to: ShipTo {
                name: "Ann".to_owned(),
                address: "1 Quay".to_owned(),
                city: "Bergen".to_owned(),
                country: country.to_owned(),
            },
            items: vec![Item { sku: "mug".to_owned(), quantity: 2 }],
        }
    }

    fn decide_at(command: &Ship, micros: i64) -> Result<Shipment, Refusal> {
        decide(command, countries::is_served, Timestamp::from_micros(micros))
    }

    #[test]
    fn parcels_go_where_they_are_served() {
        let sent = decide_at(&ship("o1", "NO"), 5).unwrap();
        assert_eq!((&*sent.order_id, &*sent.carrier), ("o1", "Fjordpost"));
        assert_eq!(sent.items, ship("o1", "NO").items);
        for country in ["AQ", "", "no", "XX"] {
            let refused = decide_at(&ship("o1", country), 5);
            assert_eq!(refused, Err(Refusal::CountryNotServed), "{country}");
        }
    }

    #[test]
    fn one_order_has_one_shipment_whenever_it_is_asked_for() {
        let (first, later) = (decide_at(&ship("o1", "NO"), 5), decide_at(&ship("o1", "NO"), 9));
        let (first, later) = (first.unwrap(), later.unwrap());
        assert_eq!(first.shipped(), later.shipped());
        let other = decide_at(&ship("o2", "NO"), 5).unwrap();
        assert_ne!(first.id, other.id);
        assert_ne!(first.tracking_number, other.tracking_number);
    }
}
